import { isDeepStrictEqual } from 'node:util'
import { MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { FIRST_FRAME_BYTES_MAX, stageCodec } from '../src/index.ts'
import { decodeHotFrame } from '../src/stage-hot-decode.ts'
import { type Sample, samples } from './samples.ts'

const CODES = new Set(['protocol_violation', 'protocol_version'])

/** What a decoder makes of some bytes: a message, or the code of a typed error. Anything else is thrown on. */
type Outcome = { readonly message: unknown } | { readonly code: string }

function outcomeOf(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): Outcome {
  try {
    return { message: decode(bytes) }
  } catch (error) {
    if (error instanceof MeshError && CODES.has(error.code)) return { code: error.code }
    throw error
  }
}

/** Values in a message, however deep: what it costs beyond its bytes. */
function valuesIn(message: unknown): number {
  if (message instanceof Uint8Array || message instanceof Error) return 1
  if (typeof message !== 'object' || message === null) return 1
  return Object.values(message).reduce((sum: number, value) => sum + valuesIn(value), 1)
}

/** Whether all numbers of a message are finite, however deep. */
function isFiniteThroughout(message: unknown): boolean {
  if (typeof message === 'number') return Number.isFinite(message)
  if (message instanceof Uint8Array || message instanceof Error) return true
  if (typeof message !== 'object' || message === null) return true
  return Object.values(message).every(isFiniteThroughout)
}

type Edit = (bytes: Buffer) => Buffer

const position = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })
const at = (bytes: Buffer, share: number): number => Math.floor(share * bytes.length)
/** Bytes that mean something to protobuf: ends of varints, long lengths, NaN and infinities, tags. */
const telling = fc.constantFrom<readonly number[]>(
  [0x00],
  [0x7f],
  [0x80],
  [0xff],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x00, 0x00, 0xc0, 0x7f],
  [0x00, 0x00, 0x80, 0xff],
  [0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf8, 0x7f],
  [0x0b],
  [0x0c]
)

const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.tuple(position, fc.nat(255)).map(
    ([share, value]): Edit =>
      bytes => {
        const copy = Buffer.from(bytes)
        if (copy.length > 0) copy[at(copy, share)] = value
        return copy
      }
  ),
  position.map(
    (share): Edit =>
      bytes =>
        bytes.subarray(0, at(bytes, share))
  ),
  fc.tuple(position, telling).map(
    ([share, values]): Edit =>
      bytes => {
        const copy = Buffer.from(bytes)
        copy.set(values.slice(0, copy.length - at(copy, share)), at(copy, share))
        return copy
      }
  ),
  fc.tuple(position, fc.oneof(telling, fc.array(fc.nat(255), { maxLength: 12 }))).map(([share, values]): Edit => {
    return bytes => {
      const middle = at(bytes, share)
      return Buffer.concat([bytes.subarray(0, middle), Buffer.from(values), bytes.subarray(middle)])
    }
  }),
  fc.tuple(position, position).map(
    ([from, to]): Edit =>
      bytes => {
        const [start, end] = [at(bytes, Math.min(from, to)), at(bytes, Math.max(from, to))]
        return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start, end), bytes.subarray(end)])
      }
  )
)

const encodings: readonly Buffer[] = samples.map(sample => Buffer.from(sample.encode()))

const whole = fc.constantFrom(...encodings)

/** Bytes near to a message, or two of them in one: what a faulty or hostile peer would send. */
const hostile: fc.Arbitrary<Buffer> = fc
  .record({
    bytes: fc.oneof(
      { weight: 6, arbitrary: whole },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((noise): Buffer => Buffer.from(noise)) },
      { weight: 1, arbitrary: fc.array(whole, { maxLength: 3 }).map((several): Buffer => Buffer.concat(several)) }
    ),
    edits: fc.array(edit, { maxLength: 4 })
  })
  .map(({ bytes, edits }) => editedBy(bytes, edits))

function editedBy(bytes: Buffer, edits: readonly Edit[]): Buffer {
  return edits.reduce((current, apply) => apply(current), bytes)
}

/** Every decoder there is, once. */
const decoders: ReadonlyMap<string, Sample['decode']> = new Map(
  ['open', 'hello', 'welcome', 'request', 'started', 'blob request', 'header'].map(name => {
    const sample = samples.find(one => one.name === name)
    if (sample === undefined) throw new Error(`there is no sample "${name}"`)
    return [name, sample.decode]
  })
)

t.test('whatever bytes come, a decoder gives a message of finite numbers or a typed error', async t => {
  for (const [name, decode] of decoders) {
    const holds = fc.property(hostile, bytes => {
      const outcome = outcomeOf(decode, bytes)
      if ('code' in outcome) return true
      return isFiniteThroughout(outcome.message) && valuesIn(outcome.message) <= 64 + bytes.length
    })
    assertProperty(holds, { numRuns: 3000 })
    t.pass(`the decoder of "${name}"`)
  }
})

t.test('where the decoder of every token’s frames reads bytes, the general one reads the same', async t => {
  // an unknown field behind the message is nothing to the general decoder, and too much for the other one
  const unknown = Buffer.from('a01f01', 'hex')
  const hot = encodings.filter(bytes => decodeHotFrame(bytes) !== undefined)
  t.ok(hot.length >= 3)
  let read = 0
  const agrees = fc.property(fc.constantFrom(...hot), fc.array(edit, { maxLength: 3 }), (original, edits) => {
    const bytes = editedBy(original, edits)
    if (decodeHotFrame(bytes) === undefined) return true
    read++
    const [here, there] = [bytes, Buffer.concat([bytes, unknown])].map(one => outcomeOf(stageCodec.decode, one))
    return isDeepStrictEqual(here, there)
  })
  assertProperty(agrees, { numRuns: 6000 })
  t.ok(read > 1000, `${read} of the changed frames were read`)
})

/** `field` of type bytes, string or message, around `content`. */
function wrapped(field: number, content: Uint8Array): Buffer {
  const length: number[] = []
  let rest = content.length
  while (rest > 0x7f) {
    length.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...length, rest]), content])
}

t.test('what a first frame may have in it at the most is refused or costs no more than its bytes', async t => {
  const fill = (unit: readonly number[]): Buffer => Buffer.alloc(FIRST_FRAME_BYTES_MAX - 64, Buffer.from(unit))
  let nested: Buffer = Buffer.alloc(0)
  // open.constraint.any_of.options.any_of …: deeper than any stack
  while (nested.length < FIRST_FRAME_BYTES_MAX / 4) nested = wrapped(4, wrapped(1, nested))
  const frames: Record<string, Buffer> = {
    'tokens of a prompt': wrapped(4, Buffer.concat([wrapped(1, Buffer.alloc(16, 1)), wrapped(3, fill([1]))])),
    'alternatives without a field': wrapped(7, Buffer.concat([wrapped(1, Buffer.alloc(16, 1)), fill([0x3a, 0x00])])),
    'scores without a field': wrapped(10, Buffer.concat([wrapped(1, Buffer.alloc(16, 1)), fill([0x22, 0x00])])),
    'constraints in constraints': wrapped(1, Buffer.concat([Buffer.from([0x08, 0x01]), wrapped(17, nested)])),
    'unknown groups in groups': fill([0xa3, 0x1f]),
    'end tokens': wrapped(1, Buffer.concat([Buffer.from([0x08, 0x01]), wrapped(12, fill([1]))]))
  }
  for (const [name, bytes] of Object.entries(frames)) {
    const outcome = outcomeOf(stageCodec.decode, bytes)
    t.ok('code' in outcome || valuesIn(outcome.message) <= 64 + bytes.length, `${name}: ${Object.keys(outcome)}`)
  }
})
