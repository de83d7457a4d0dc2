import { MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import sharp from 'sharp'
import t from 'tap'
import { PictureCodec } from '../src/index.ts'

const PIXELS_MAX = 4096
const codec = new PictureCodec({ limits: { pixelsMax: PIXELS_MAX } })

const noisy = sharp({
  create: { width: 48, height: 32, channels: 3, background: 'black', noise: { type: 'gaussian', mean: 128, sigma: 40 } }
})
const files = await Promise.all([
  noisy.clone().png().toBuffer(),
  noisy.clone().png({ palette: true, progressive: true }).toBuffer(),
  noisy.clone().ensureAlpha(0.5).toColourspace('rgb16').png().toBuffer(),
  noisy
    .clone()
    .withExif({ IFD0: { Orientation: '6', ImageDescription: 'noise' } })
    .jpeg()
    .toBuffer(),
  noisy.clone().jpeg({ progressive: true, chromaSubsampling: '4:2:0' }).toBuffer(),
  noisy.clone().toColourspace('cmyk').jpeg().toBuffer(),
  noisy.clone().webp().toBuffer(),
  noisy.clone().ensureAlpha(0.5).webp({ lossless: true }).toBuffer(),
  noisy.clone().gif().toBuffer()
])

const fit = { width: 16, height: 16, how: 'cover' } as const
const asked = { param: 'image', fit }

/** A picture within the limits, or an error that names what is wrong; the same of a mask. */
async function isHandled(bytes: Uint8Array): Promise<boolean> {
  const handled = async (work: Promise<{ readonly length: number }>, length: number): Promise<boolean> => {
    try {
      return (await work).length === length
    } catch (error) {
      if (error instanceof MeshError && error.code === 'invalid_request') return typeof error.details.fault === 'string'
      throw error
    }
  }
  const of = { width: 48, height: 32 }
  const picture = codec.decode(bytes, asked).then(({ rgb }) => rgb)
  return (await handled(picture, 3 * 256)) && (await handled(codec.decodeMask(bytes, { ...asked, of }), 256))
}

const file = fc.constantFrom(...files)

t.test('bytes that are changed give a picture or an error', async t => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 12 })
  await assertProperty(
    fc.asyncProperty(file, changes, fc.boolean(), async (original, changes, early) => {
      const bytes = Uint8Array.from(original)
      // heads say what is to be done with all that follows
      const reach = early ? Math.min(96, bytes.length) : bytes.length
      for (const [at, value] of changes) bytes[at % reach] = value
      return await isHandled(bytes)
    }),
    { numRuns: 120 }
  )
  t.pass('for every sample')
})

t.test('files that are cut, joined, or lack a part give a picture or an error', async t => {
  const how = fc.constantFrom('cut', 'lack', 'joined')
  await assertProperty(
    fc.asyncProperty(file, file, fc.nat(), fc.nat(), how, async (one, other, a, b, how) => {
      const [from = 0, to = 0] = [a % one.length, b % one.length].toSorted((x, y) => x - y)
      if (how === 'cut') return await isHandled(one.subarray(0, to))
      const rest = how === 'lack' ? one.subarray(to) : other.subarray(b % other.length)
      return await isHandled(Buffer.concat([one.subarray(0, from), rest]))
    }),
    { numRuns: 120 }
  )
  t.pass('for every sample')
})

t.test('random bytes behind the beginning of each format give a picture or an error', async t => {
  await assertProperty(
    fc.asyncProperty(file, fc.nat({ max: 64 }), fc.uint8Array({ maxLength: 2000 }), async (bytes, kept, rest) =>
      isHandled(Buffer.concat([bytes.subarray(0, kept), rest]))
    ),
    { numRuns: 120 }
  )
  t.pass('for every sample')
})
