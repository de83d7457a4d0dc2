import { readdirSync } from 'node:fs'
import { MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { DEFAULT_AUDIO_LIMITS } from '../src/audio-limits.ts'
import { decodeHere } from './support/decode-here.ts'
import { fixture } from './support/fixtures.ts'
import { flacBomb } from './support/flac-bomb.ts'

const SECONDS_MAX = 60
const limits = { ...DEFAULT_AUDIO_LIMITS, secondsMax: SECONDS_MAX }
const names = readdirSync(new URL('../../test/fixtures', import.meta.url)).filter(name =>
  /^(tone|film|silent)/.test(name)
)
const files = names.map(fixture)

/** Audio within the limits, or an error that names what is wrong. */
async function isHandled(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
  try {
    const { samples } = await decodeHere(bytes, limits)
    return (
      samples.length > 0 && samples.length <= SECONDS_MAX * 16_000 && samples.every(sample => Math.abs(sample) <= 1)
    )
  } catch (error) {
    if (error instanceof MeshError && error.code === 'invalid_request') return typeof error.details.fault === 'string'
    throw error
  }
}

// decoders print what they think of each file
Object.assign(console, { error: () => undefined, warn: () => undefined })

const file = fc.nat({ max: files.length - 1 }).map(index => files[index] ?? new Uint8Array(0))

t.test('bytes that are changed give audio or an error', async t => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 20 })
  await assertProperty(
    fc.asyncProperty(file, changes, fc.boolean(), async (original, changes, early) => {
      const bytes = original.slice()
      // heads say what is to be done with all that follows
      const reach = early ? Math.min(300, bytes.length) : bytes.length
      for (const [at, value] of changes) bytes[at % reach] = value
      return await isHandled(bytes)
    }),
    { numRuns: 300 }
  )
  t.pass('for every sample')
})

t.test('files that are cut, or lack a part, or have one twice give audio or an error', async t => {
  await assertProperty(
    fc.asyncProperty(file, fc.nat(), fc.nat(), fc.constantFrom('cut', 'lack', 'twice'), async (bytes, a, b, how) => {
      const [from = 0, to = 0] = [a % bytes.length, b % bytes.length].toSorted((x, y) => x - y)
      if (how === 'cut') return await isHandled(bytes.slice(0, to))
      const [left, right] = how === 'lack' ? [from, to] : [to, from]
      return await isHandled(new Uint8Array(Buffer.concat([bytes.subarray(0, left), bytes.subarray(right)])))
    }),
    { numRuns: 150 }
  )
  t.pass('for every sample')
})

t.test('files that are joined give audio or an error', async t => {
  await assertProperty(
    fc.asyncProperty(file, file, async (a, b) => await isHandled(new Uint8Array(Buffer.concat([a, b])))),
    { numRuns: 40 }
  )
  t.pass('for every sample')
})

t.test('random bytes behind the beginning of each format give audio or an error', async t => {
  await assertProperty(
    fc.asyncProperty(file, fc.nat({ max: 64 }), fc.uint8Array({ maxLength: 4000 }), async (bytes, kept, rest) =>
      isHandled(new Uint8Array(Buffer.concat([bytes.subarray(0, kept), rest])))
    ),
    { numRuns: 300 }
  )
  t.pass('for every sample')
})

t.test('a small file of days of silence is refused once it is too long', async t => {
  await t.rejects(decodeHere(flacBomb(100_000), limits), { code: 'invalid_request', details: { fault: 'too_long' } })
  t.equal((await decodeHere(flacBomb(2), limits)).samples.length, 2 * 65_535, 'a short one of that kind is audio')
})
