import { crc32 } from 'node:zlib'
import { MeshError } from '@resultity/interface'
import sharp from 'sharp'
import t from 'tap'
import { PictureCodec, type PictureFault } from '../src/index.ts'

const codec = new PictureCodec()
const param = 'image'

const noisy = sharp({
  create: { width: 96, height: 64, channels: 3, background: 'black', noise: { type: 'gaussian', mean: 128, sigma: 40 } }
})
const good = {
  png: await noisy.clone().png().toBuffer(),
  jpeg: await noisy.clone().jpeg().toBuffer(),
  webp: await noisy.clone().webp().toBuffer(),
  gif: await noisy.clone().gif().toBuffer()
}
const frames = { raw: { width: 4, height: 8, channels: 3, pageHeight: 4 } } as const
const moving = Uint8Array.from({ length: 96 }, (_, at) => (at < 48 ? 0 : 255))

/** A PNG whose head says something else. */
function pngWith(change: (head: Buffer) => void): Buffer {
  const file = Buffer.from(good.png)
  change(file)
  file.writeUInt32BE(crc32(file.subarray(12, 29)), 29)
  return file
}

const chunk = (type: string, data: Buffer): Buffer => {
  const whole = Buffer.alloc(12 + data.length)
  whole.writeUInt32BE(data.length)
  whole.write(type, 4, 'latin1')
  data.copy(whole, 8)
  whole.writeUInt32BE(crc32(whole.subarray(4, 8 + data.length)), 8 + data.length)
  return whole
}

/** 100,000 pixels a side, by a head of its format. */
const gigantic: Record<string, Buffer> = {
  png: pngWith(file => {
    file.writeUInt32BE(100_000, 16)
    file.writeUInt32BE(100_000, 20)
  }),
  jpeg: sized(good.jpeg, Buffer.from([0xff, 0xc0]), 5, 65_000),
  gif: (() => {
    const file = Buffer.from(good.gif)
    // of the screen, and of its first frame
    const frame = file.indexOf(Buffer.from([0x2c, 0, 0, 0, 0, 96, 0, 64, 0]))
    for (const at of [6, 8, frame + 5, frame + 7]) file.writeUInt16LE(65_000, at)
    return file
  })()
}

function sized(good: Buffer, marker: Buffer, after: number, side: number): Buffer {
  const file = Buffer.from(good)
  const at = file.indexOf(marker)
  file.writeUInt16BE(side, at + after)
  file.writeUInt16BE(side, at + after + 2)
  return file
}

const text = (text: string): Buffer => Buffer.from(text)
const isoFile = (brand: string): Buffer => Buffer.concat([Buffer.alloc(4), text(`ftyp${brand}`), Buffer.alloc(64)])

const cases: Record<string, [Buffer, PictureFault, RegExp?]> = {
  nothing: [Buffer.alloc(0), 'empty'],
  words: [text('this is no picture at all'), 'no_picture'],
  zeros: [Buffer.alloc(4096), 'no_picture'],
  SVG: [text('<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'), 'unsupported', /SVG/],
  'SVG behind XML': [text('<?xml version="1.0"?>\n<!-- a -->\n<svg width="9"/>'), 'unsupported', /SVG/],
  'SVG with a prefix': [text('\ufeff <svg:svg width="9"/>'), 'unsupported', /SVG/],
  PDF: [text('%PDF-1.7\n%âãÏÓ'), 'unsupported', /PDF/],
  HTML: [text('<!doctype html><p>'), 'unsupported', /HTML/],
  HEIC: [isoFile('heic'), 'unsupported', /HEIC/],
  AVIF: [await noisy.clone().resize(8, 8).avif({ effort: 0 }).toBuffer(), 'unsupported', /AVIF/],
  MP4: [isoFile('isom'), 'unsupported', /MP4/],
  TIFF: [await noisy.clone().tiff().toBuffer(), 'unsupported', /TIFF/],
  BMP: [Buffer.concat([text('BM'), Buffer.alloc(64)]), 'unsupported', /BMP/],
  PSD: [text('8BPS\0\x01'), 'unsupported', /PSD/],
  'a head of PNG alone': [good.png.subarray(0, 8), 'damaged'],
  'a head of JPEG alone': [good.jpeg.subarray(0, 4), 'truncated'],
  'a head of WebP alone': [good.webp.subarray(0, 12), 'truncated'],
  'a PNG that ends amid its pixels': [good.png.subarray(0, good.png.length >> 1), 'truncated'],
  'a JPEG that ends amid its pixels': [good.jpeg.subarray(0, good.jpeg.length >> 1), 'truncated'],
  'a WebP that ends amid its pixels': [good.webp.subarray(0, good.webp.length >> 1), 'truncated'],
  'a GIF that ends amid its pixels': [good.gif.subarray(0, good.gif.length >> 1), 'truncated'],
  'a PNG without pixels': [Buffer.concat([good.png.subarray(0, 33), good.png.subarray(-12)]), 'damaged'],
  'words behind a head of PNG': [Buffer.concat([good.png.subarray(0, 8), text('a'.repeat(512))]), 'damaged'],
  'a moving GIF': [await sharp(moving, frames).gif().toBuffer(), 'animated'],
  'a moving WebP': [await sharp(moving, frames).webp().toBuffer(), 'animated'],
  'a moving PNG': [
    Buffer.concat([good.png.subarray(0, 33), chunk('acTL', Buffer.alloc(8, 2)), good.png.subarray(33)]),
    'animated'
  ],
  'no width': [pngWith(file => file.writeUInt32BE(0, 16)), 'damaged'],
  ...Object.fromEntries(
    Object.entries(gigantic).map(([kind, file]) => [`a gigantic ${kind}`, [file, 'too_many_pixels'] as const])
  )
}

t.test('what is no picture is refused, saying why and where', async t => {
  for (const [name, [file, fault, message = /^image /]] of Object.entries(cases)) {
    const error = await codec.decode(file, { param }).then(
      () => undefined,
      (error: unknown) => error
    )
    t.ok(error instanceof MeshError, `${name}: ${String(error)}`)
    t.match(error, { code: 'invalid_request', message, details: { param, fault } }, `${name}: ${String(error)}`)
    t.match(await codec.check(file, { param }).catch(error => error), { details: { fault } }, `${name}, checked`)
  }
})

t.test('a good picture passes its check', async t => {
  for (const [format, file] of Object.entries(good)) {
    t.match(await codec.check(file, { param }), { format, width: 96, height: 64 })
  }
})

t.test('limits are those that were set', async t => {
  const tight = new PictureCodec({ limits: { bytesMax: good.png.length - 1, pixelsMax: 96 * 64 - 1 } })
  t.match(await tight.decode(good.png, { param }).catch(error => error), { details: { fault: 'too_large' } })
  t.match(await tight.decode(good.jpeg, { param }).catch(error => error), { details: { fault: 'too_many_pixels' } })
  const wide = new PictureCodec({ limits: { bytesMax: good.png.length, pixelsMax: 96 * 64 } })
  t.equal((await wide.decode(good.png, { param })).width, 96)
})

t.test('bad pictures, many at once and one after the other, cost no memory', async t => {
  const files = Object.values(cases).map(([file]) => file)
  const round = async (): Promise<number> => {
    const refusals = await Promise.all(
      files.map(file =>
        codec.decode(file, { param }).then(
          () => 0,
          error => Number(error instanceof MeshError)
        )
      )
    )
    return refusals.reduce((sum, one) => sum + one, 0)
  }
  t.equal(await round(), files.length)
  const before = process.memoryUsage().rss
  for (let i = 0; i < 12; i++) t.equal(await round(), files.length)
  const grown = (process.memoryUsage().rss - before) / 2 ** 20
  t.ok(grown < 64, `${12 * files.length} bad pictures took ${grown.toFixed(1)} MB`)
})
