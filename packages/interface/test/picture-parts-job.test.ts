import t from 'tap'
import {
  readDecodeJob,
  readSourceResult,
  readStepsJob,
  readTextJob,
  readTextResult,
  type StepsJob,
  TEXT_STATES_BYTES_MAX,
  writeDecodeJob,
  writeSourceResult,
  writeStepsJob,
  writeTextJob,
  writeTextResult
} from '../src/index.ts'

const text = (fill: number) => ({
  states: new Float32Array(6).fill(fill),
  pooled: new Float32Array(2).fill(-fill),
  length: 2,
  size: 3
})
const latents = Float32Array.from({ length: 8 }, (_, at) => at / 3)
const job: StepsJob = {
  picture: {
    picture: 1,
    prompt: [[[1, 2]]],
    negative: [[[1, 3]]],
    width: 16,
    height: 8,
    steps: 6,
    scheduler: 'dpmpp_2m',
    guidance: 7,
    guidanceRescale: 0,
    seed: '1',
    previews: [4],
    from: { step: 3, latents, carried: [latents] }
  },
  first: 2,
  texts: { prompt: text(1), negative: text(2) },
  source: { begins: latents, kept: { latents, mask: latents.subarray(4) }, beside: latents }
}

/** Each of some bytes is another, in turn; and the last ones are missing. */
function* damaged(bytes: Uint8Array): Generator<[string, Uint8Array]> {
  for (const at of [0, 3, Math.floor(bytes.length / 2), bytes.length - 1]) {
    const other = bytes.slice()
    other[at] = (other[at] ?? 0) ^ 1
    yield [`byte ${at} of ${bytes.length}`, other]
  }
  yield ['cut off', bytes.slice(0, -4)]
  yield ['more than there is', Uint8Array.of(...bytes, 0, 0, 0, 0)]
  yield ['nothing', new Uint8Array()]
}

t.test('what nodes make of a picture goes from one to the next as it was', t => {
  t.strictSame(readTextJob(writeTextJob([[[1, 2]]])), [[[1, 2]]])
  t.strictSame(readTextResult(writeTextResult(text(3))), text(3))
  for (const source of [{}, job.source, { begins: latents }, { beside: latents }]) {
    t.strictSame(readSourceResult(writeSourceResult(source)), source)
  }
  t.strictSame(readStepsJob(writeStepsJob(job)), job)
  const { negative, ...alone } = job.texts
  const without = { ...job, texts: alone, source: {}, picture: { ...job.picture, from: undefined } }
  const { from, ...picture } = without.picture
  t.strictSame(readStepsJob(writeStepsJob(without)), { ...without, picture })
  t.strictSame(readDecodeJob(writeDecodeJob({ width: 16, height: 8, latents })), { width: 16, height: 8, latents })
  t.end()
})

t.test('what is damaged on the way is refused', t => {
  for (const [what, bytes] of damaged(writeStepsJob(job))) {
    t.throws(() => readStepsJob(bytes), { code: 'protocol_violation' }, what)
  }
  for (const [what, bytes] of damaged(writeTextResult(text(1)))) t.equal(readTextResult(bytes), undefined, what)
  for (const [what, bytes] of damaged(writeSourceResult(job.source))) t.equal(readSourceResult(bytes), undefined, what)
  for (const read of [readTextJob, readDecodeJob]) {
    t.throws(() => read(new Uint8Array(7)), { code: 'protocol_violation' })
  }
  t.end()
})

t.test('numbers that are none, too many, or of no step are refused', t => {
  const wrong: Record<string, () => unknown> = {
    'a state that is no number': () =>
      readStepsJob(
        writeStepsJob({ ...job, texts: { prompt: { ...text(1), states: new Float32Array(6).fill(Number.NaN) } } })
      ),
    'a negative prompt that is none': () =>
      readStepsJob(writeStepsJob({ ...job, texts: { prompt: text(1), negative: { ...text(1), length: 5 } } })),
    'latents that are infinite': () =>
      readDecodeJob(writeDecodeJob({ width: 16, height: 8, latents: latents.map(() => Number.POSITIVE_INFINITY) })),
    'no latents': () => readDecodeJob(writeDecodeJob({ width: 16, height: 8, latents: new Float32Array() })),
    'no step left': () => readStepsJob(writeStepsJob({ ...job, first: 6 })),
    'a mask without latents': () =>
      readStepsJob(writeStepsJob({ ...job, source: { begins: latents.map(() => Number.NaN) } })),
    'more text than a job takes': () =>
      readStepsJob(writeStepsJob({ ...job, texts: { prompt: { ...text(1), length: TEXT_STATES_BYTES_MAX, size: 1 } } }))
  }
  for (const [what, read] of Object.entries(wrong)) {
    const error = t.throws(read, what)
    t.match(error, { code: 'protocol_violation' }, what)
  }
  t.equal(readTextResult(writeTextResult({ ...text(1), states: new Float32Array(6).fill(Number.NaN) })), undefined)
  t.end()
})
