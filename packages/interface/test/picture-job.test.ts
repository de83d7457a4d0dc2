import t from 'tap'
import {
  fromFloatBlock,
  type PictureJob,
  type PictureState,
  readBytesMessage,
  readPictureEvent,
  readPictureJob,
  readPictureResult,
  toFloatBlock,
  writeBytesMessage,
  writePictureEvent,
  writePictureJob,
  writePictureResult
} from '../src/index.ts'

const job: PictureJob = {
  picture: 1,
  prompt: [[[0, 5, 2]], [[0, 7, 2]]],
  negative: [[[0, 2, 2]], [[0, 2, 2]]],
  width: 4,
  height: 2,
  steps: 10,
  scheduler: 'dpmpp_2m',
  guidance: 7.5,
  guidanceRescale: 0,
  seed: '18446744073709551615',
  previews: [3]
}
const state: PictureState = { step: 6, latents: Float32Array.of(1, -0.1), carried: [Float32Array.of(1e-38, 2)] }
const start = {
  strength: 0.5,
  rgb: Uint8Array.from({ length: 24 }, (_, index) => index),
  mask: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 255)
}

t.test('a job comes as it was sent, to the last bit', async t => {
  for (const sent of [job, { ...job, from: state }, { ...job, start }, { ...job, start, from: state }]) {
    t.strictSame(readPictureJob(writePictureJob(sent)), sent)
  }
  const { mask: _, ...whole } = start
  t.same(readPictureJob(writePictureJob({ ...job, start: whole })).start, whole, 'one without a mask')
})

t.test('a job that is wrong is refused, and what is wrong is named', async t => {
  const wrong: [Partial<PictureJob>, string][] = [
    [{ steps: 0 }, 'at steps'],
    [{ steps: 1e9 }, 'at steps'],
    [{ width: 4000, height: 4000 }, 'at width'],
    [{ height: 0 }, 'at height'],
    [{ seed: '18446744073709551616' }, 'at seed'],
    [{ seed: '-1' }, 'at seed'],
    [{ guidance: Number.NaN }, 'at guidance'],
    [{ previews: Array.from({ length: 9 }, () => 1) }, 'at previews'],
    [{ prompt: [] }, 'at prompt'],
    [{ prompt: [[[1]], [[1], [2]]] }, 'all encoders'],
    [{ negative: [[[1], [2]]] }, 'at negative'],
    [{ prompt: [Array.from({ length: 17 }, () => [1])] }, 'at prompt.0'],
    [{ start: { ...start, strength: 0 } }, 'at start.strength'],
    [{ start: { ...start, strength: 0.09 } }, 'at start.strength: it leaves no step'],
    [{ start: { ...start, rgb: new Uint8Array(23) } }, 'at start.rgb: 23 bytes came, not 24'],
    [{ start: { ...start, mask: new Uint8Array(9) } }, 'at start.mask'],
    [{ from: { ...state, step: 11 } }, 'at from.step'],
    [{ start, from: { ...state, step: 5 } }, 'at from.step'],
    [{ from: { ...state, carried: [] } }, 'at from.carried'],
    [{ from: { ...state, latents: Float32Array.of(1, Number.NaN) } }, 'at from: no state'],
    [{ from: { ...state, carried: [Float32Array.of(1)] } }, 'at from: no state']
  ]
  for (const [change, message] of wrong) {
    const body = writePictureJob({ ...job, ...change })
    t.throws(() => readPictureJob(body), { code: 'protocol_violation', message: new RegExp(message) }, message)
  }
  const body = writePictureJob(job)
  for (const bytes of [new Uint8Array(), body.subarray(1), body.subarray(0, -1), Uint8Array.of(...body, 0)]) {
    t.throws(() => readPictureJob(bytes), { code: 'protocol_violation' })
  }
  const { head } = readBytesMessage(body, 4096) ?? {}
  const more = writeBytesMessage({ head, blocks: [new Uint8Array(1)] })
  t.throws(() => readPictureJob(more), { code: 'protocol_violation', message: /more than it says/ })
})

t.test('events and results come as they were sent, and of the right sizes alone', async t => {
  const sizes = { width: 4, height: 2, latentValues: 2, carried: 1 }
  const preview = { type: 'preview', step: 3, rgb: start.rgb } as const
  for (const event of [{ type: 'step', step: 6, state }, { type: 'step', step: 7 }, preview] as const) {
    t.strictSame(readPictureEvent(writePictureEvent(event), sizes), event)
  }
  const told = writePictureEvent({ type: 'step', step: 6, state })
  const wordy = { type: 'step', step: 6, more: 'x'.repeat(512) }
  t.equal(readPictureEvent(writeBytesMessage({ head: wordy, blocks: [] }), sizes), undefined, 'a head is a few numbers')
  t.equal(readPictureEvent(told, { ...sizes, latentValues: 3 }), undefined)
  t.equal(readPictureEvent(told, { ...sizes, carried: 0 }), undefined)
  t.equal(readPictureEvent(writePictureEvent(preview), { ...sizes, width: 2 }), undefined)
  const endless = { ...state, latents: Float32Array.of(Number.POSITIVE_INFINITY, 0) }
  t.equal(readPictureEvent(writePictureEvent({ type: 'step', step: 6, state: endless }), sizes), undefined)
  const later = writePictureEvent({ type: 'step', step: 6, state: { ...state, step: 7 } })
  t.match(readPictureEvent(later, sizes), { step: 6, state: { step: 6 } }, 'a state is of the step it comes with')
  const result = writePictureResult(start.rgb, sizes)
  t.strictSame(readPictureResult(result, sizes), start.rgb)
  t.equal(readPictureResult(result, { width: 2, height: 4 }), undefined)
  t.equal(readPictureResult(result.subarray(0, -1), sizes), undefined)
  t.equal(readPictureResult(writePictureResult(new Uint8Array(23), sizes), sizes), undefined)
})

t.test('a message is bytes behind JSON', async t => {
  const message = { head: { a: 'ä' }, blocks: [Uint8Array.of(1, 2), new Uint8Array()] }
  const bytes = writeBytesMessage(message)
  t.strictSame(readBytesMessage(bytes, 10), message)
  t.equal(readBytesMessage(bytes, 9), undefined, 'a head over the limit is not read')
  t.equal(readBytesMessage(Uint8Array.of(1, 0, 0, 0, 0x7b), 10), undefined, 'no JSON')
  t.equal(readBytesMessage(Uint8Array.of(255, 255, 255, 255), 10), undefined, 'more than there is')
  const many = writeBytesMessage({ head: 0, blocks: Array.from({ length: 17 }, () => new Uint8Array()) })
  t.equal(readBytesMessage(many, 10), undefined, 'too many blocks')
  t.strictSame(fromFloatBlock(toFloatBlock(Float32Array.of(0.1, -0)), 2), Float32Array.of(0.1, -0))
  t.equal(fromFloatBlock(undefined, 0), undefined)
})
