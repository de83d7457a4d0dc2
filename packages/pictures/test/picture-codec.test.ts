import { MeshError } from '@resultity/interface'
import sharp, { type Sharp } from 'sharp'
import t, { type Test } from 'tap'
import { type Picture, PictureCodec } from '../src/index.ts'

const codec = new PictureCodec()
const param = 'image'

/** Red, green; blue, grey; two pixels each way. */
const COLOURS = [
  [230, 20, 30],
  [10, 200, 40],
  [20, 30, 240],
  [128, 128, 128]
] as const

/** A picture whose quarters have different colours. */
function quarters(width: number, height: number): Picture {
  const rgb = new Uint8Array(3 * width * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const colour = COLOURS[(2 * y >= height ? 2 : 0) + (2 * x >= width ? 1 : 0)] ?? COLOURS[0]
      rgb.set(colour, 3 * (y * width + x))
    }
  }
  return { width, height, rgb }
}

const small = quarters(16, 8)
const image = ({ width, height, rgb }: Picture = small): Sharp => sharp(rgb, { raw: { width, height, channels: 3 } })

/** The colours of the quarters, from the middle of each. */
function coloursOf({ width, height, rgb }: Picture): number[][] {
  const at = (x: number, y: number) => Array.from(rgb.subarray(3 * (y * width + x), 3 * (y * width + x) + 3))
  const [left, right] = [width >> 2, width - 1 - (width >> 2)]
  const [top, bottom] = [height >> 2, height - 1 - (height >> 2)]
  return [at(left, top), at(right, top), at(left, bottom), at(right, bottom)]
}

function near(t: Test, actual: readonly number[][], wanted: readonly (readonly number[])[], by: number, what: string) {
  const worst = Math.max(
    ...wanted.flatMap((colour, quarter) => colour.map((value, at) => Math.abs(value - (actual[quarter]?.[at] ?? 999))))
  )
  t.ok(worst <= by, `${what}: ${JSON.stringify(actual)} are ${worst} off`)
}

/** The error of a promise that rejects. */
async function failure(promise: Promise<unknown>): Promise<MeshError> {
  const error: unknown = await promise.then(
    () => undefined,
    error => error
  )
  if (error instanceof MeshError) return error
  throw new Error(`no MeshError: ${String(error)}`)
}

t.test('every kind of file is read as RGB of 8 bits', async t => {
  const kinds: Record<string, [Buffer, number]> = {
    png: [await image().png().toBuffer(), 0],
    'a palette': [await image().png({ palette: true, dither: 0 }).toBuffer(), 6],
    'interlaced rows': [await image().png({ progressive: true }).toBuffer(), 0],
    '16 bits': [await image().toColourspace('rgb16').png().toBuffer(), 1],
    jpeg: [await image().jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer(), 6],
    'progressive jpeg': [await image().jpeg({ quality: 100, progressive: true }).toBuffer(), 60],
    // print has fewer colours
    cmyk: [await image().toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer(), 110],
    webp: [await image().webp({ lossless: true }).toBuffer(), 0],
    gif: [await image().gif({ dither: 0 }).toBuffer(), 6]
  }
  for (const [kind, [file, by]] of Object.entries(kinds)) {
    const picture = await codec.decode(file, { param })
    t.strictSame([picture.width, picture.height, picture.rgb.length], [16, 8, 3 * 16 * 8], kind)
    near(t, coloursOf(picture), COLOURS, by, kind)
  }
  for (const space of ['b-w', 'grey16']) {
    const grey = await codec.decode(await image().toColourspace(space).png().toBuffer(), { param })
    t.ok(
      coloursOf(grey).every(([red, green, blue]) => red === green && green === blue),
      space
    )
  }
})

t.test('EXIF turns a picture, and is not in what is written', async t => {
  const turned = await image().withMetadata({ orientation: 6 }).png().toBuffer()
  t.match(await codec.head(turned, { param }), { width: 8, height: 16 })
  const picture = await codec.decode(turned, { param })
  t.strictSame([picture.width, picture.height], [8, 16])
  const [red, green, blue, grey] = COLOURS
  near(t, coloursOf(picture), [blue, red, grey, green], 0, 'a quarter to the right')
  const { orientation, exif } = await sharp(await codec.encode(picture, { format: 'jpeg' })).metadata()
  t.strictSame([orientation, exif], [undefined, undefined])
})

t.test('what is transparent is white', async t => {
  const clear = await image().ensureAlpha(0).png().toBuffer()
  t.equal((await codec.head(clear, { param })).hasAlpha, true)
  const { rgb } = await codec.decode(clear, { param })
  t.ok(rgb.every(value => value === 255))
  for (const space of ['rgb16', 'b-w', 'grey16']) {
    const file = await image().ensureAlpha(0).toColourspace(space).png().toBuffer()
    t.ok(
      (await codec.decode(file, { param })).rgb.every(value => value === 255),
      space
    )
  }
})

t.test('a picture is scaled and cut evenly, or stretched', async t => {
  const file = await image(quarters(64, 32)).png().toBuffer()
  const cut = await codec.decode(file, { param, fit: { width: 16, height: 16, how: 'cover' } })
  t.strictSame([cut.width, cut.height], [16, 16])
  near(t, coloursOf(cut), COLOURS, 2, 'its middle')
  const stretched = await codec.decode(file, { param, fit: { width: 8, height: 32, how: 'stretch', kernel: 'cubic' } })
  t.strictSame([stretched.width, stretched.height], [8, 32])
  near(t, coloursOf(stretched), COLOURS, 4, 'all of it')
})

t.test('a mask says where to paint by what is wholly transparent', async t => {
  const alpha = Buffer.alloc(16 * 8 * 4, 255)
  for (let y = 0; y < 8; y++) for (let x = 0; x < 16; x++) alpha[4 * (16 * y + x) + 3] = x < 8 ? 0 : x < 12 ? 1 : 255
  const file = await sharp(alpha, { raw: { width: 16, height: 8, channels: 4 } })
    .png()
    .toBuffer()
  const asked = { param: 'mask', of: { width: 16, height: 8 } }
  const mask = await codec.decodeMask(file, { ...asked, fit: { width: 32, height: 16, how: 'stretch' } })
  t.equal(mask.length, 32 * 16)
  t.ok(mask.every((value, at) => value === (at % 32 < 16 ? 255 : 0)))
  const fit = { width: 16, height: 8, how: 'stretch' } as const
  const faults: Record<string, [Buffer, object]> = {
    no_alpha: [await image().png().toBuffer(), asked],
    other_size: [file, { ...asked, of: { width: 8, height: 16 } }]
  }
  for (const [fault, [bytes, how]] of Object.entries(faults)) {
    const error = await failure(codec.decodeMask(bytes, { ...asked, ...how, fit }))
    t.match(error, { code: 'invalid_request', details: { param: 'mask', fault } }, error.message)
  }
  const opaque = await image().ensureAlpha(1).png().toBuffer()
  t.match(await failure(codec.decodeMask(opaque, { ...asked, fit })), { message: /nothing would be painted/ })
})

t.test('files are written with what they were made of, in any script', async t => {
  const text = JSON.stringify({ prompt: 'ein Häuschen – 家 🏠', seed: 7 })
  for (const format of ['png', 'jpeg', 'webp'] as const) {
    const file = await codec.encode(quarters(64, 32), { format, text })
    const { comments, exif, ...metadata } = await sharp(file).metadata()
    t.match(metadata, { format, width: 64, height: 32 })
    const kept = comments?.[0]?.text ?? exif?.toString('latin1').match(/\{.*\}/)?.[0]
    t.strictSame(JSON.parse(kept ?? ''), JSON.parse(text), format)
    near(t, coloursOf(await codec.decode(file, { param })), COLOURS, format === 'png' ? 0 : 8, format)
  }
  const rgb = Uint8Array.from({ length: 3 * 64 * 64 }, (_, at) => (at * at) % 251)
  const sizes = await Promise.all(
    [0, 60, 100].map(
      async quality => (await codec.encode({ width: 64, height: 64, rgb }, { format: 'webp', quality })).length
    )
  )
  t.ok(
    sizes.every((size, at) => at === 0 || size >= (sizes[at - 1] ?? 0)),
    `${sizes}`
  )
  t.equal((await sharp(await codec.encode(small, { format: 'png' })).metadata()).comments, undefined)
})

t.test('a caller that goes away gets its reason', async t => {
  const signal = AbortSignal.abort(new MeshError('canceled', 'gone'))
  const file = await image().png().toBuffer()
  for (const asked of [
    codec.decode(file, { param, signal }),
    codec.head(file, { param, signal }),
    codec.encode(small, { format: 'png', signal })
  ]) {
    t.equal((await failure(asked)).code, 'canceled')
  }
})
