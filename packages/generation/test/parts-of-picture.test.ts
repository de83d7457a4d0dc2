import {
  DECODE_ENDPOINT,
  MeshError,
  type PictureEvent,
  readDecodeJob,
  readStepsJob,
  readTextJob,
  requireDiffusion,
  STEPS_ENDPOINT,
  type StepsJob,
  sectionRanges,
  TEXT_ENDPOINT,
  type TextStates,
  writePictureEvent,
  writePictureResult,
  writeStepsResult,
  writeTextResult
} from '@resultity/interface'
import { placeableDiffusion } from '@resultity/test-nodes'
import t from 'tap'
import type { FollowedJob, NodeJob } from '../src/node-jobs/node-jobs.ts'
import type { PaintEvent, PaintRequest } from '../src/node-jobs/paint-request.ts'
import { paint } from '../src/node-jobs/painter.ts'

const model = placeableDiffusion()
const manifest = requireDiffusion(model.manifest)
const ranges = sectionRanges(manifest)
const chunk = (token: number): number[] => Array.from({ length: 77 }, (_, at) => [98, token][at] ?? 99)
const request: PaintRequest = {
  jobId: 'job',
  model,
  routing: {},
  pictures: 1,
  prompt: [[chunk(5)]],
  negative: [[chunk(7)]],
  width: 16,
  height: 8,
  steps: 4,
  scheduler: 'ddim',
  guidance: 7,
  guidanceRescale: 0,
  seed: '1',
  previews: [2]
}
const sizes = { width: 16, height: 8 }
const lost = new MeshError('node_lost', 'gone')
const stateAt = (step: number) => ({ step, latents: new Float32Array(8).fill(step), carried: [] })
const textOf = (token: number): TextStates => ({
  states: new Float32Array(77 * manifest.config.denoiser.contextSize).fill(token),
  pooled: new Float32Array(),
  length: 77,
  size: manifest.config.denoiser.contextSize
})

/** What each node answers; default: what is right. */
interface Nodes {
  text?(token: number): Uint8Array
  steps?(job: StepsJob, tell: (event: PictureEvent) => Promise<void>): Promise<Uint8Array>
  decode?(latents: Float32Array): Uint8Array
}

const makeSteps: NonNullable<Nodes['steps']> = async ({ picture }, tell) => {
  for (let step = (picture.from?.step ?? 0) + 1; step <= picture.steps; step++) {
    if (picture.previews.includes(step)) await tell({ type: 'clean', step, clean: new Float32Array(8).fill(-step) })
    await tell({ type: 'step', step, state: stateAt(step) })
  }
  return writeStepsResult()
}

async function run(nodes: Nodes, change: Partial<PaintRequest> = {}) {
  const asked: string[] = []
  const jobs: StepsJob[] = []
  const nodeOf = (layer: number | undefined): string =>
    Object.entries(ranges).find(([, { first, end }]) => layer !== undefined && first <= layer && layer < end)?.[0] ??
    'none'
  const routeOf = (layer: number | undefined) => ({
    placementId: 'p1',
    stages: [{ peerId: nodeOf(layer), range: { first: 0, end: 1 } }]
  })
  const follow = async (job: FollowedJob) => {
    if (job.layer === undefined) throw new MeshError('unavailable', 'in parts', { details: { inParts: true } })
    asked.push(`${nodeOf(job.layer)} ${job.endpoint}`)
    for (;;) {
      const route = routeOf(job.layer)
      const attempt = job.attempt(route)
      const sent = readStepsJob(attempt.body)
      jobs.push(sent)
      const tell = async (event: PictureEvent) => await attempt.events.take(writePictureEvent(event))
      try {
        return { result: await (nodes.steps ?? makeSteps)(sent, tell), route }
      } catch (error) {
        if (error !== lost) throw error
      }
    }
  }
  const runJob = async ({ endpoint, body, layer }: NodeJob) => {
    asked.push(`${nodeOf(layer)} ${endpoint}`)
    const decode =
      nodes.decode ?? (latents => writePictureResult(new Uint8Array(3 * 16 * 8).fill(10 + (latents[0] ?? 0)), sizes))
    const result =
      endpoint === TEXT_ENDPOINT
        ? (nodes.text ?? (token => writeTextResult(textOf(token))))(readTextJob(body)[0]?.[0]?.[1] ?? 0)
        : decode(readDecodeJob(body).latents)
    return { result, route: routeOf(layer) }
  }
  const replicas = { ask: () => {}, idle: () => [], jobsMax: () => 2, onChange: () => () => {} }
  const sums = { of: () => Promise.reject(new Error('no sums are made here')) as never }
  const events: PaintEvent[] = []
  for await (const event of paint({ nodeJobs: { follow, run: runJob }, replicas, sums }, { ...request, ...change })) {
    events.push(event)
  }
  return { asked, jobs, events }
}

t.test('each section is asked for its part, and what is shown is decoded where the decoder is', async t => {
  const { asked, jobs, events } = await run({})
  t.strictSame(asked, [
    `text ${TEXT_ENDPOINT}`,
    `text ${TEXT_ENDPOINT}`,
    `denoiser ${STEPS_ENDPOINT}`,
    `coder ${DECODE_ENDPOINT}`,
    `coder ${DECODE_ENDPOINT}`
  ])
  t.strictSame(jobs[0]?.texts, { prompt: textOf(5), negative: textOf(7) })
  t.strictSame(
    events.map(event => [event.type, event.type === 'step' ? event.step : event.rgb[0]]),
    [
      ['step', 1],
      ['preview', 8],
      ['step', 2],
      ['step', 3],
      ['step', 4],
      ['picture', 14]
    ]
  )
  const last = events.at(-1)
  t.strictSame(last?.type === 'picture' && last.route.stages.map(({ peerId }) => peerId), ['text', 'denoiser', 'coder'])
})

t.test('a node that is lost with the steps leaves those that are done, and shows no picture twice', async t => {
  let first = true
  const steps: Nodes['steps'] = async (job, tell) => {
    if (!first) return await makeSteps(job, tell)
    first = false
    await makeSteps({ ...job, picture: { ...job.picture, steps: 3 } }, tell)
    throw lost
  }
  const { jobs, events } = await run({ steps })
  t.strictSame(
    jobs.map(({ picture }) => picture.from?.step),
    [undefined, 3]
  )
  t.strictSame(
    events.flatMap(event => (event.type === 'step' ? [event.step] : [])),
    [1, 2, 3, 4]
  )
  t.equal(events.filter(({ type }) => type === 'preview').length, 1)
})

t.test('a picture whose steps are all done is only decoded', async t => {
  const { asked } = await run({}, { begun: new Map([[0, stateAt(4)]]) })
  t.strictSame(asked, [`coder ${DECODE_ENDPOINT}`])
})

t.test('what a lying node says is told of it, and not used', async t => {
  const right = writeTextResult(textOf(5))
  const liars: Record<string, [string, Nodes]> = {
    'states of another size': [
      'text',
      { text: () => writeTextResult({ ...textOf(1), length: 76, states: textOf(1).states.slice(32) }) }
    ],
    'states that are others than it says': ['text', { text: () => right.with(right.length - 1, 7) }],
    'no states': ['text', { text: () => new TextEncoder().encode('{}') }],
    'no step': ['denoiser', { steps: async () => writeStepsResult() }],
    'a step too few': [
      'denoiser',
      { steps: async (job, tell) => await makeSteps({ ...job, picture: { ...job.picture, steps: 3 } }, tell) }
    ],
    'pixels in place of latents': [
      'denoiser',
      {
        steps: async (_, tell) => {
          await tell({ type: 'step', step: 1 })
          await tell({ type: 'preview', step: 2, rgb: new Uint8Array(3 * 16 * 8) })
          return writeStepsResult()
        }
      }
    ],
    'latents that nobody asked for': [
      'denoiser',
      {
        steps: async (_, tell) => {
          await tell({ type: 'clean', step: 1, clean: new Float32Array(8) })
          return writeStepsResult()
        }
      }
    ],
    'a picture of another size': [
      'coder',
      { decode: () => writePictureResult(new Uint8Array(3), { width: 1, height: 1 }) }
    ]
  }
  for (const [what, [peerId, nodes]] of Object.entries(liars)) {
    await t.rejects(run(nodes), { code: 'protocol_violation', details: { peerId } }, what)
  }
})
