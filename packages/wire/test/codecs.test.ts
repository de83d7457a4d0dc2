import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { resultity } from '#gen'
import {
  type Activations,
  blobRequestCodec,
  blobResponseCodec,
  errorFromWire,
  errorToWire,
  floatsToHidden,
  hiddenToFloats,
  jobEventCodec,
  membershipCoordinatorCodec,
  membershipNodeCodec,
  type NextToken,
  type Sampled,
  type StageFrame,
  sameSession,
  sessionKey,
  stageCodec
} from '../src/index.ts'
import { stageFrameToWire } from '../src/stage-codec.ts'
import { decodeHotFrame } from '../src/stage-hot-decode.ts'
import { joined, samples } from './samples.ts'

/** Committed hex of every sample. A difference is a change of the wire contract. */
const golden: Record<string, string> = JSON.parse(
  readFileSync(new URL('../../test/fixtures/golden.json', import.meta.url), 'utf8')
)

/** Errors compare by what travels, bytes as plain arrays. */
function plain(value: unknown): unknown {
  if (value instanceof MeshError) return { code: value.code, message: value.message, hint: value.hint }
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]))
}

t.test('golden bytes', t => {
  t.same(
    Object.keys(golden),
    samples.map(sample => sample.name),
    'every sample has its bytes'
  )
  for (const { name, message, encode, decode } of samples) {
    const bytes = Buffer.from(golden[name] ?? '', 'hex')
    t.equal(Buffer.from(encode()).toString('hex'), golden[name], `${name}: encodes to them`)
    t.same(plain(decode(bytes)), plain(message), `${name}: decodes from them`)
    // field 500, varint 1, and field 501, two bytes: what a later version may add
    const extended = Buffer.concat([bytes, Buffer.from('a01f01aa1f020000', 'hex')])
    t.same(plain(decode(extended)), plain(message), `${name}: unknown fields are tolerated`)
  }
  t.end()
})

t.test('truncated or garbled messages only ever throw MeshError', async t => {
  const codes = new Set(['protocol_violation', 'protocol_version'])
  const survives = (decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean => {
    try {
      decode(bytes)
      return true
    } catch (error) {
      return error instanceof MeshError && codes.has(error.code)
    }
  }
  for (const { name, decode } of samples) {
    const bytes = Buffer.from(golden[name] ?? '', 'hex')
    const lengths = Array.from({ length: bytes.length }, (_, length) => length)
    t.ok(
      lengths.every(length => survives(decode, bytes.subarray(0, length))),
      `${name}: at every length`
    )
    const garbled = fc.property(fc.nat(bytes.length - 1), fc.nat(255), (index, value) => {
      const copy = Buffer.from(bytes)
      copy[index] = value
      return survives(decode, copy)
    })
    assertProperty(garbled, { numRuns: 100 })
  }
  const noise = fc.property(fc.constantFrom(...samples), fc.uint8Array({ maxLength: 80 }), ({ decode }, bytes) =>
    survives(decode, bytes)
  )
  assertProperty(noise, { numRuns: 2000 })
})

const uint32 = fc.nat(0xffff_ffff)
const ofSession = { session: fc.uint8Array({ minLength: 16, maxLength: 16 }), epoch: uint32, position: uint32 }

function generated(frame: StageFrame): string {
  return Buffer.from(resultity.stage.v1.StageFrame.encode(stageFrameToWire(frame)).finish()).toString('hex')
}

function encoded(frame: StageFrame, headroom = 0): string {
  return Buffer.from(joined(stageCodec.encode(frame, headroom)))
    .subarray(headroom)
    .toString('hex')
}

const activations: fc.Arbitrary<Activations> = fc.record({
  type: fc.constant('activations' as const),
  ...ofSession,
  count: uint32,
  hidden: fc.uint8Array({ maxLength: 300 })
})
const next: fc.Arbitrary<NextToken> = fc.record({ type: fc.constant('next' as const), ...ofSession, token: uint32 })
const sampled: fc.Arbitrary<Sampled> = fc.record({
  type: fc.constant('sampled' as const),
  ...ofSession,
  token: uint32,
  finish: fc.constantFrom('continues', 'end_token', 'tokens_max'),
  logprob: fc.float(),
  top: fc.constant([])
})

t.test('the hand-written encoders write what the generated ones write', t => {
  for (const frames of [activations, next, sampled]) {
    assertProperty(
      fc.property(frames, fc.constantFrom(0, 4), (frame, room) => encoded(frame, room) === generated(frame))
    )
  }
  const chunks = fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.constantFrom(0, 4), (chunk, room) => {
    const ours = Buffer.from(joined(blobResponseCodec.encode({ type: 'chunk', chunk }, room))).subarray(room)
    return ours.equals(resultity.blob.v1.BlobResponse.encode({ chunk }).finish())
  })
  assertProperty(chunks)
  t.end()
})

t.test('the hand-written decoder reads what the generated one reads, or leaves it to that', t => {
  const outcome = (bytes: Uint8Array): unknown => {
    try {
      return plain(stageCodec.decode(bytes))
    } catch (error) {
      return plain(error)
    }
  }
  // with a field that no version knows, the hand-written one leaves the frame alone
  const generatedOutcome = (bytes: Uint8Array): unknown => outcome(Buffer.concat([bytes, Buffer.from('a01f01', 'hex')]))
  const frames = fc.oneof(activations, next, sampled).map(frame => Buffer.from(joined(stageCodec.encode(frame))))
  assertProperty(fc.property(frames, bytes => isDeepStrictEqual(outcome(bytes), generatedOutcome(bytes))))
  let read = 0
  const garbled = fc.property(frames, fc.nat(40), fc.nat(255), (bytes, index, value) => {
    bytes[index % bytes.length] = value
    // what it reads of garbled bytes, the generated one must read just so; what it leaves alone shows nothing here
    if (decodeHotFrame(bytes) === undefined) return true
    read++
    return isDeepStrictEqual(outcome(bytes), generatedOutcome(bytes))
  })
  assertProperty(garbled, { numRuns: 3000 })
  const unknownFinish = Buffer.from(`3a180a10${'ab'.repeat(16)}28ffffffff0f`, 'hex')
  t.ok(decodeHotFrame(unknownFinish))
  t.same(outcome(unknownFinish), generatedOutcome(unknownFinish), 'an enum beyond 31 bits is negative')
  t.ok(read > 0, 'some garbled frames were read')
  t.end()
})

t.test('large payloads are parts by reference', t => {
  const hidden = floatsToHidden(new Float32Array(8193))
  const frame: Activations = {
    type: 'activations',
    session: new Uint8Array(16),
    epoch: 1,
    position: 9,
    count: 1,
    hidden
  }
  const parts = stageCodec.encode(frame)
  t.equal(parts[1], hidden)
  t.equal(encoded(frame), generated(frame))
  const chunk = new Uint8Array(256 * 1024)
  t.equal(blobResponseCodec.encode({ type: 'chunk', chunk })[1], chunk)
  const bytes = Buffer.from(joined(parts))
  const decoded = stageCodec.decode(bytes)
  t.equal(decoded.type === 'activations' && decoded.hidden.buffer, bytes.buffer, 'and decode as views')
  t.end()
})

t.test('a seed travels without loss, and a uint64 that no number can hold is refused', t => {
  const open = samples.find(sample => sample.name === 'open')
  const seeds = fc.property(fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }), seed => {
    const frame = {
      ...(open?.message as Extract<StageFrame, { type: 'open' }>),
      sampling: { temperature: 1, topP: 1, seed }
    }
    const decoded = stageCodec.decode(joined(stageCodec.encode(frame)))
    return decoded.type === 'open' && decoded.sampling.seed === seed
  })
  assertProperty(seeds)
  const header = (varint: string): Uint8Array =>
    Buffer.from(`0a${(1 + varint.length / 2).toString(16).padStart(2, '0')}08${varint}`, 'hex')
  t.same(blobRequestCodec.decode(header('ffffffffffffff0f')), { type: 'header', totalBytes: Number.MAX_SAFE_INTEGER })
  t.throws(() => blobRequestCodec.decode(header('8080808080808010')), { code: 'protocol_violation' }, '2^53')
  t.throws(() => blobRequestCodec.decode(header('ffffffffffffffffff01')), { code: 'protocol_violation' }, '2^64 - 1')
  t.end()
})

const stage = resultity.stage.v1.StageFrame
const session = new Uint8Array(16)
const least = { end: 1, promptCount: 1, tokensMax: 1, prefillChunk: 1, leaseMs: 1 }
const openFields = { protocolVersion: 1, session, placementId: 'p', ...least, sampling: { topP: 1 } }
const preceded = (fields: object) => ({ open: { ...openFields, constraint: { preceded: fields } } })
const assignFields = {
  placementId: 'p',
  manifestSha256: new Uint8Array(32),
  manifestBytes: 1,
  end: 1,
  contextLength: 1,
  sessionsMax: 1
}

t.test('fields out of bounds are refused, the last good value passes', t => {
  t.doesNotThrow(() => stageCodec.decode(stage.encode({ open: openFields }).finish()))
  const stageCases: Record<string, resultity.stage.v1.StageFrame.$Properties> = {
    'no body': {},
    'a session of 15 bytes': { opened: { session: new Uint8Array(15) } },
    'a session of 17 bytes': { next: { session: new Uint8Array(17) } },
    'no session': { close: {} },
    'hidden not a multiple of four': { activations: { session, count: 1, hidden: new Uint8Array(5) } },
    'hidden that does not divide into its positions': {
      activations: { session, count: 3, hidden: new Uint8Array(16) }
    },
    'no hidden': { activations: { session, count: 1 } },
    'no positions': { activations: { session, count: 0, hidden: new Uint8Array(4) } },
    'a position beyond 2^31 - 1': { next: { session, position: 0x8000_0000 } },
    'an empty prompt': { prompt: { session } },
    'an unknown finish': { sampled: { session, finish: 9 as 0 } },
    'too many top tokens': { sampled: { session, top: Array.from({ length: 21 }, () => ({ token: 1 })) } },
    'an unknown class of work': { open: { ...openFields, workClass: 2 as 0 } },
    'an empty layer range': { open: { ...openFields, first: 1 } },
    'a layer range beyond any model': { open: { ...openFields, end: 1025 } },
    'no placement': { open: { ...openFields, placementId: '' } },
    'a placement id without end': { open: { ...openFields, placementId: 'p'.repeat(129) } },
    'no prompt to come': { open: { ...openFields, promptCount: 0 } },
    'no tokens to sample': { open: { ...openFields, tokensMax: 0 } },
    'a lease of more than a day': { open: { ...openFields, leaseMs: 86_400_001 } },
    'tokens told of after more than a minute': { open: { ...openFields, tellWithinMs: 60_001 } },
    'too many end tokens': { open: { ...openFields, endTokens: new Array(65).fill(1) } },
    'too many addresses': { open: { ...openFields, next: { peerId: 'n', multiaddrs: new Array(17).fill('/ip4') } } },
    'a next hop without peer': { open: { ...openFields, next: {} } },
    'a temperature below zero': { open: { ...openFields, sampling: { topP: 1, temperature: -1 } } },
    'a temperature that is no number': { open: { ...openFields, sampling: { topP: 1, temperature: Number.NaN } } },
    'no sampling': { open: { ...openFields, sampling: null } },
    'a penalty beyond its bounds': { open: { ...openFields, sampling: { topP: 1, frequencyPenalty: 2.5 } } },
    'a share above one': { open: { ...openFields, sampling: { topP: 1, minP: 1.5 } } },
    'a bias without end': {
      open: { ...openFields, sampling: { topP: 1, logitBias: [{ token: 1, bias: Number.NEGATIVE_INFINITY }] } }
    },
    'too many biases': {
      open: { ...openFields, sampling: { topP: 1, logitBias: new Array(65_537).fill({ token: 1 }) } }
    },
    'a constraint of no kind': { open: { ...openFields, constraint: {} } },
    'a schema that is too long': { open: { ...openFields, constraint: { jsonSchema: '1'.repeat(262_145) } } },
    'no option': { open: { ...openFields, constraint: { anyOf: {} } } },
    'too many options': {
      open: { ...openFields, constraint: { anyOf: { options: new Array(5).fill({ jsonObject: true }) } } }
    },
    'options within options': {
      open: { ...openFields, constraint: { anyOf: { options: [{ anyOf: { options: [{ jsonObject: true }] } }] } } }
    },
    'no prelude': preceded({ answer: { jsonObject: true } }),
    'a part of no kind': preceded({ preludes: [{ parts: [{}] }], answer: { jsonObject: true } }),
    'preludes within preludes': preceded({ preludes: [{}], answer: { preceded: {} } }),
    'calls of no function': { open: { ...openFields, constraint: { toolCalls: {} } } },
    'too many functions': {
      open: {
        ...openFields,
        constraint: { toolCalls: { functions: new Array(129).fill({ name: 'f', parameters: '{}' }) } }
      }
    },
    'functions that are too long together': {
      open: {
        ...openFields,
        constraint: { toolCalls: { functions: new Array(2).fill({ name: 'f', parameters: '1'.repeat(140_000) }) } }
      }
    },
    'a score of the first position': { scores: { session, position: 0 } }
  }
  for (const [name, frame] of Object.entries(stageCases)) {
    t.throws(() => stageCodec.decode(stage.encode(frame).finish()), { code: 'protocol_violation' }, name)
  }
  const { CoordinatorMessage, NodeMessage } = resultity.membership.v1
  t.doesNotThrow(() => membershipNodeCodec.decode(CoordinatorMessage.encode({ assign: assignFields }).finish()))
  const coordinatorCases: Record<string, resultity.membership.v1.CoordinatorMessage.$Properties> = {
    'a manifest hash of 31 bytes': { assign: { ...assignFields, manifestSha256: new Uint8Array(31) } },
    'a manifest without bytes': { assign: { ...assignFields, manifestBytes: 0 } },
    'no slots': { assign: { ...assignFields, sessionsMax: 0 } },
    'an unknown activation type': { assign: { ...assignFields, activationType: 7 as 0 } },
    'too many sources': { assign: { ...assignFields, sources: new Array(65).fill({ peerId: 'a' }) } },
    'a heartbeat interval of zero': { welcome: { protocolVersion: 1, heartbeatMissesMax: 1 } }
  }
  for (const [name, message] of Object.entries(coordinatorCases)) {
    t.throws(
      () => membershipNodeCodec.decode(CoordinatorMessage.encode(message).finish()),
      { code: 'protocol_violation' },
      name
    )
  }
  const nodeCases: Record<string, resultity.membership.v1.NodeMessage.$Properties> = {
    'an advert over 32 KiB': { hello: { protocolVersion: 1, advert: new Uint8Array(32 * 1024 + 1) } },
    'no state': { assignment: { placementId: 'p' } },
    'a time below zero': { assignment: { placementId: 'p', state: 4, decodeMsPerLayer: -1 } },
    'a time without end': { assignment: { placementId: 'p', state: 4, fixedDecodeMs: Number.POSITIVE_INFINITY } }
  }
  for (const [name, message] of Object.entries(nodeCases)) {
    t.throws(
      () => membershipCoordinatorCodec.decode(NodeMessage.encode(message).finish()),
      { code: 'protocol_violation' },
      name
    )
  }
  const { BlobRequest, BlobResponse } = resultity.blob.v1
  t.throws(() => blobResponseCodec.decode(BlobRequest.encode({ protocolVersion: 1, sha256: session }).finish()), {
    code: 'protocol_violation'
  })
  t.throws(() => blobRequestCodec.decode(BlobResponse.encode({ chunk: new Uint8Array(256 * 1024 + 1) }).finish()), {
    code: 'protocol_violation'
  })
  t.throws(() => blobRequestCodec.decode(BlobResponse.encode({ chunk: new Uint8Array(0) }).finish()), {
    code: 'protocol_violation'
  })
  t.end()
})

t.test('another protocol version is named as such', t => {
  const { NodeMessage, CoordinatorMessage } = resultity.membership.v1
  const refusal = { code: 'protocol_version', details: { theirs: 2, ours: 1 } }
  t.throws(() => stageCodec.decode(stage.encode({ open: { ...openFields, protocolVersion: 2 } }).finish()), refusal)
  t.throws(() => stageCodec.decode(stage.encode({ join: { protocolVersion: 2, session } }).finish()), refusal)
  t.throws(
    () => membershipCoordinatorCodec.decode(NodeMessage.encode({ hello: { protocolVersion: 2 } }).finish()),
    refusal
  )
  t.throws(
    () => membershipNodeCodec.decode(CoordinatorMessage.encode({ welcome: { protocolVersion: 2 } }).finish()),
    refusal
  )
  t.throws(() => jobEventCodec.decode(resultity.job.v1.JobRequest.encode({ protocolVersion: 2 }).finish()), refusal)
  t.throws(
    () => blobResponseCodec.decode(resultity.blob.v1.BlobRequest.encode({ protocolVersion: 2 }).finish()),
    refusal
  )
  t.throws(() => blobResponseCodec.decode(new Uint8Array(0)), { code: 'protocol_version', details: { theirs: 0 } })
  t.end()
})

t.test('every faulted peer can be told', t => {
  const error = new MeshError('protocol_violation', 'm'.repeat(5000), { hint: 'h' })
  for (const codec of [stageCodec, membershipNodeCodec, membershipCoordinatorCodec, blobResponseCodec, jobEventCodec]) {
    t.ok(codec.fault?.(error))
  }
  const fault = stageCodec.decode(joined(stageCodec.encode({ type: 'fault', session, epoch: 0, error })))
  t.match(fault, { error: { code: 'protocol_violation', message: 'm'.repeat(2048), hint: 'h' } }, 'texts are cut')
  t.end()
})

t.test('errors', t => {
  const error = new MeshError('hash_mismatch', 'blob x', {
    hint: 'fetch again',
    details: { secret: 1 },
    cause: new Error('c')
  })
  t.same(
    errorToWire(error),
    { code: 'hash_mismatch', message: 'blob x', hint: 'fetch again' },
    'details and cause stay here'
  )
  t.match(errorFromWire(errorToWire(error)), { code: 'hash_mismatch', message: 'blob x', hint: 'fetch again' })
  t.match(errorFromWire({ code: 'from_the_future', message: 'x' }), {
    code: 'internal',
    details: { code: 'from_the_future' }
  })
  t.match(errorFromWire(undefined), { code: 'internal', hint: undefined })
  t.end()
})

t.test('hidden states become floats without a copy where they are aligned', t => {
  const floats = Float32Array.of(1.5, -0, Number.NaN, 3e-45)
  const memory = new Uint8Array(64)
  for (let offset = 0; offset < 8; offset++) {
    memory.set(floatsToHidden(floats), offset)
    const back = hiddenToFloats(memory.subarray(offset, offset + 16))
    t.same(floatsToHidden(back), floatsToHidden(floats), `offset ${offset}: the same bits`)
    t.equal(back.buffer === memory.buffer, offset % 4 === 0, `offset ${offset}: a view only if aligned`)
  }
  t.end()
})

t.test('session ids', t => {
  const id = Uint8Array.from({ length: 16 }, (_, index) => index)
  t.equal(sessionKey(id), '000102030405060708090a0b0c0d0e0f')
  t.ok(sameSession(id, Uint8Array.from(id)))
  t.notOk(sameSession(id, id.toReversed()))
  t.end()
})
