import { drawLatents, requestOfSettings, type StepModel, SumsThread } from '@resultity/diffusion'
import {
  DENOISE_ENDPOINT,
  MeshError,
  type PictureEvent,
  type PictureJob,
  type PictureState,
  readDenoiseJob,
  readPictureJob,
  requireDiffusion,
  writeDenoiseResult,
  writePictureEvent,
  writePictureResult
} from '@resultity/interface'
import { placeableDiffusion } from '@resultity/test-nodes'
import t from 'tap'
import type { FollowedJob, NodeJob, NodeJobResult } from '../src/node-jobs/node-jobs.ts'
import type { PaintEvent, PaintRequest } from '../src/node-jobs/paint-request.ts'
import { paint } from '../src/node-jobs/painter.ts'

/** What a node does with a job: tells events, and gives its result. What it throws ends the attempt. */
type Node = (job: PictureJob, tell: (event: PictureEvent) => Promise<void>) => Promise<Uint8Array>

const routeOf = (peerId: string) => ({ placementId: 'p1', stages: [{ peerId, range: { first: 0, end: 1 } }] })
const lost = new MeshError('node_lost', 'gone')

/** Whole chunks: who draws looks at them. */
const chunk = (token: number): number[] => Array.from({ length: 77 }, (_, at) => [98, token][at] ?? 99)

const request: PaintRequest = {
  jobId: 'job',
  model: placeableDiffusion(),
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
  previews: []
}
const sizes = { width: 16, height: 8 }

/** Its latents are the number of the step, and its picture is the sum of all steps of all nodes. */
const stateAt = (step: number, sum: number) => ({ step, latents: new Float32Array(8).fill(sum), carried: [] })
const pictureOf = (value: number) => new Uint8Array(3 * 16 * 8).fill(value)

/** A node that draws, and dies behind step `diesAt`. */
const painter =
  (diesAt = Number.POSITIVE_INFINITY, stateEvery = 1): Node =>
  async (job, tell) => {
    let sum = job.from?.latents[0] ?? 0
    for (let step = (job.from?.step ?? 0) + 1; step <= job.steps; step++) {
      sum += step
      if (job.previews.includes(step)) await tell({ type: 'preview', step, rgb: pictureOf(sum) })
      await tell({ type: 'step', step, ...(step % stateEvery === 0 ? { state: stateAt(step, sum) } : {}) })
      if (step >= diesAt) throw lost
    }
    return writePictureResult(pictureOf(sum + job.picture), sizes)
  }

/** Runs of the denoiser alone, and milliseconds a position of idle nodes. */
interface Runs {
  run(job: NodeJob): Promise<NodeJobResult>
  readonly idle: readonly number[]
}

const sums = new SumsThread()
t.teardown(() => sums[Symbol.asyncDispose]())

/** Paints on nodes that are asked one after the other; where one is lost, the next is. */
async function run(
  nodes: readonly Node[],
  change: Partial<PaintRequest> = {},
  signal?: AbortSignal,
  runs: Runs = { run: () => Promise.reject(new Error('no run was expected')), idle: [] }
) {
  const jobs: PictureJob[] = []
  const gotFurther: boolean[] = []
  const begun: unknown[] = []
  const patience: number[] = []
  const asked: number[] = []
  let next = 0
  const follow = async (job: FollowedJob) => {
    begun.push(job.begun)
    patience.push(job.jobsPerEvent)
    for (;;) {
      const at = next++
      const route = routeOf(`node ${at}`)
      const attempt = job.attempt(route)
      const sent = readPictureJob(attempt.body)
      jobs.push(sent)
      const tell = async (event: PictureEvent) => await attempt.events.take(writePictureEvent(event))
      try {
        return { result: await (nodes[at] ?? painter())(sent, tell), route }
      } catch (error) {
        if (error !== lost) throw error
        gotFurther.push(attempt.gotFurther())
      }
    }
  }
  const replicas = {
    ask: (_: unknown, __: unknown, count: number) => void asked.push(count),
    idle: () => runs.idle,
    jobsMax: () => 2,
    onChange: () => () => {}
  }
  const events: PaintEvent[] = []
  const components = { nodeJobs: { follow, run: runs.run }, replicas, sums }
  const options = signal === undefined ? {} : { signal }
  for await (const event of paint(components, { ...request, ...change }, options)) events.push(event)
  return { jobs, events, asked, gotFurther, begun, patience }
}

const stepsOf = (events: readonly PaintEvent[], picture = 0) =>
  events.flatMap(event => (event.type === 'step' && event.picture === picture ? [event.step] : []))
const lastOf = (events: readonly PaintEvent[]) => events.at(-1)

t.test('the steps of a picture are told, and then the picture', async t => {
  const { events, jobs, asked } = await run([], { previews: [2] })
  t.strictSame(
    events.map(({ type }) => type),
    ['step', 'preview', 'step', 'step', 'step', 'picture']
  )
  t.strictSame(events[1], { type: 'preview', picture: 0, step: 2, rgb: pictureOf(3) })
  t.strictSame(events[2], { type: 'step', picture: 0, step: 2, steps: 4, state: stateAt(2, 3) })
  t.strictSame(lastOf(events), { type: 'picture', picture: 0, rgb: pictureOf(10), route: routeOf('node 0') })
  t.match(jobs, [{ picture: 0, seed: '1', from: undefined }])
  t.strictSame(asked, [], 'one picture needs one node')
})

t.test('where a node is lost, the next goes on from its last state, and no step is told twice', async t => {
  const { events, jobs, gotFurther } = await run([painter(2), painter(3)], { previews: [1, 3] })
  t.strictSame(
    jobs.map(({ from }) => from?.step),
    [undefined, 2, 3]
  )
  t.strictSame(stepsOf(events), [1, 2, 3, 4])
  t.strictSame(
    events.flatMap(event => (event.type === 'preview' ? [event.step] : [])),
    [1, 3]
  )
  t.match(lastOf(events), { type: 'picture', rgb: pictureOf(10), route: routeOf('node 2') })
  t.strictSame(gotFurther, [true, true])
})

t.test('steps that came without a state are done again, and not told again', async t => {
  const { events, jobs, gotFurther } = await run([painter(3, 2), painter(3, 10), painter(4, 10)], { previews: [3] })
  t.strictSame(
    jobs.map(({ from }) => from?.step),
    [undefined, 2, 2, 2]
  )
  t.strictSame(stepsOf(events), [1, 2, 3, 4])
  t.equal(events.filter(({ type }) => type === 'preview').length, 1, 'nor is a preview')
  t.match(lastOf(events), { rgb: pictureOf(10) })
  t.strictSame(gotFurther, [true, false, false])
})

t.test('a node lost while it decodes leaves nothing but that to do', async t => {
  const { jobs, events } = await run([painter(4)])
  t.equal(jobs[1]?.from?.step, 4)
  t.match(lastOf(events), { rgb: pictureOf(10) })
})

t.test('pictures are drawn side by side, each with a number of its own', async t => {
  const { jobs, events, asked } = await run([], { pictures: 3 })
  t.strictSame(asked, [3])
  t.strictSame(jobs.map(({ picture }) => picture).toSorted(), [0, 1, 2])
  for (const picture of [0, 1, 2]) t.strictSame(stepsOf(events, picture), [1, 2, 3, 4])
  const rgbs = events.flatMap(event => (event.type === 'picture' ? [[event.picture, event.rgb[0]]] : []))
  t.strictSame(rgbs.toSorted(), [
    [0, 10],
    [1, 11],
    [2, 12]
  ])
  const firstThree = events.slice(0, 3).map(({ picture }) => picture)
  t.ok(new Set(firstThree).size > 1, 'two at once')
})

t.test('pictures that were begun before go on, and those that are done are left out', async t => {
  const begun = new Map([[1, stateAt(2, 3)]])
  const { jobs, events, asked, begun: begunJobs } = await run([], { pictures: 3, begun, done: new Set([0]) })
  t.strictSame(asked, [2])
  t.strictSame(
    jobs.map(({ picture, from }) => [picture, from?.step]),
    [
      [1, 2],
      [2, undefined]
    ]
  )
  t.strictSame(begunJobs, [true, false], 'what was begun goes before what was not')
  t.strictSame(
    [0, 1, 2].map(picture => stepsOf(events, picture)),
    [[], [3, 4], [1, 2, 3, 4]]
  )
  t.match(
    events.find(({ type, picture }) => type === 'picture' && picture === 1),
    { rgb: pictureOf(11) }
  )
  const states = events.flatMap(event => (event.type === 'step' && event.picture === 1 ? [event.state] : []))
  t.strictSame(states, [stateAt(3, 6), stateAt(4, 10)], 'each step tells what it can be gone on from')
})

t.test('what a lying node says is told of it, and not used', async t => {
  const rgb = pictureOf(1)
  const liars: Record<string, Node> = {
    'jumps ahead': async (_, tell) => {
      await tell({ type: 'step', step: 2, state: stateAt(2, 1) })
      return rgb
    },
    'says a step twice': async (_, tell) => {
      await tell({ type: 'step', step: 1 })
      await tell({ type: 'step', step: 1 })
      return rgb
    },
    'goes on behind the end': async (_, tell) => {
      for (let step = 1; step <= 5; step++) await tell({ type: 'step', step })
      return rgb
    },
    'has a state that is no number': async (_, tell) => {
      await tell({ type: 'step', step: 1, state: stateAt(1, Number.NaN) })
      return rgb
    },
    'has a state of another size': async (_, tell) => {
      await tell({ type: 'step', step: 1, state: { step: 1, latents: new Float32Array(9), carried: [] } })
      return rgb
    },
    'carries what its scheduler does not': async (_, tell) => {
      await tell({ type: 'step', step: 1, state: { ...stateAt(1, 1), carried: [new Float32Array(8)] } })
      return rgb
    },
    'shows what nobody asked for': async (_, tell) => {
      await tell({ type: 'preview', step: 1, rgb })
      return rgb
    },
    'draws nothing': async () => writePictureResult(rgb, sizes),
    'draws another size': async (job, tell) => {
      await painter()(job, tell)
      return writePictureResult(rgb, { width: 8, height: 16 })
    },
    'answers with something else': async (job, tell) => {
      await painter()(job, tell)
      return new TextEncoder().encode('{}')
    }
  }
  for (const [what, liar] of Object.entries(liars)) {
    await t.rejects(run([liar]), { code: 'protocol_violation', details: { peerId: 'node 0' } }, what)
  }
})

t.test('what the model does not draw is refused before a node is asked', async t => {
  await t.rejects(run([], { width: 12 }), { code: 'invalid_request', details: { param: 'size' } })
  const start = { strength: 0.2, rgb: pictureOf(1) }
  await t.rejects(run([], { start }), { code: 'invalid_request', details: { param: 'strength' } })
})

t.test('a picture begun from another has fewer steps', async t => {
  const from: Node = async (_, tell) => {
    for (const step of [3, 4]) await tell({ type: 'step', step, state: stateAt(step, step) })
    return writePictureResult(pictureOf(7), sizes)
  }
  const { events, jobs } = await run([from], { start: { strength: 0.5, rgb: pictureOf(1) } })
  t.strictSame(stepsOf(events), [3, 4])
  t.strictSame(jobs[0]?.start?.rgb, pictureOf(1))
})

t.test('the first failure ends all, and so does leaving', async t => {
  const failed = new MeshError('engine_failed', 'broken')
  await t.rejects(run([painter(), () => Promise.reject(failed)], { pictures: 3 }), failed)
  const gone = new AbortController()
  const canceled = new MeshError('canceled', 'the client left')
  const hangs: Node = async (_, tell) => {
    await tell({ type: 'step', step: 1 })
    gone.abort(canceled)
    throw canceled
  }
  await t.rejects(run([hangs], {}, gone.signal), canceled)
})

t.test('leaving the loop ends what is under way', async t => {
  const ended = Promise.withResolvers<unknown>()
  const nodeJobs = {
    run: () => Promise.reject(new Error('no run was expected')),
    follow: async (job: FollowedJob, { signal }: { readonly signal?: AbortSignal } = {}): Promise<never> => {
      const { promise, reject } = Promise.withResolvers<never>()
      signal?.addEventListener('abort', () => {
        ended.resolve(signal.reason)
        reject(signal.reason)
      })
      await job.attempt(routeOf('node')).events.take(writePictureEvent({ type: 'step', step: 1 }))
      return await promise
    }
  }
  const replicas = { ask: () => {}, idle: () => [], jobsMax: () => 2, onChange: () => () => {} }
  for await (const event of paint({ nodeJobs, replicas, sums }, { ...request, pictures: 2 })) {
    t.equal(event.type, 'step')
    break
  }
  t.match(await ended.promise, { code: 'canceled' })
})

t.test('both runs of a step are made at once where two nodes are idle, and give the same', async t => {
  const idle = [400, 400]
  /** What a denoiser predicts: a little of the latents, the prompt's second token, and the time. */
  const predict = (values: Float32Array, token: number, timestep: number): Float32Array =>
    values.map((value, at) => value / 10 + token / 100 + timestep / 1000 + at / 50)
  let [atOnce, mostAtOnce, count] = [0, 0, 0]
  const begun: unknown[] = []
  const runs: Runs = {
    idle,
    run: async ({ endpoint, body, jobs, begun: has }) => {
      begun.push(has)
      t.equal(endpoint, DENOISE_ENDPOINT)
      t.equal(jobs, 1)
      mostAtOnce = Math.max(mostAtOnce, ++atOnce)
      count++
      await new Promise(resolve => setImmediate(resolve))
      atOnce--
      const { latents, timestep, prompt } = readDenoiseJob(body)
      const prediction = predict(latents.values, prompt?.[0]?.[0]?.[1] ?? 0, timestep)
      return { result: writeDenoiseResult(prediction), route: routeOf('half') }
    }
  }
  for (const scheduler of ['ddim', 'dpmpp_2m'] as const) {
    const change = { scheduler, previews: [2], steps: 3 }
    const states: PictureState[] = []
    const { config } = requireDiffusion(placeableDiffusion().manifest)
    const tokens = new Map<object, number>()
    const alone: StepModel = {
      config,
      encodeText: async prompt => {
        const text = { states: new Float32Array(), pooled: new Float32Array(), length: 77, size: 32 }
        tokens.set(text, prompt[0]?.[0]?.[1] ?? 0)
        return text
      },
      denoise: async ({ latents, timestep, text }) => predict(latents.values, tokens.get(text) ?? 0, timestep),
      encode: () => Promise.reject(new Error('there is no picture'))
    }
    const onStep = ({ state }: { readonly state: PictureState }): void => void states.push(state)
    await drawLatents(alone, requestOfSettings({ ...request, ...change }, 0), { onStep })
    const { events, jobs, begun: begunJobs } = await run([], change, undefined, runs)
    t.strictSame(stepsOf(events), [1, 2, 3])
    t.strictSame(
      events.map(({ type }) => type),
      ['step', 'preview', 'step', 'step', 'picture']
    )
    t.equal(jobs.length, 2, 'nodes decode the picture, and the one on its way')
    t.strictSame(begun.splice(0), [false, false, true, true, true, true], 'it is not turned away between its steps')
    t.strictSame(begunJobs, [true, true])
    t.strictSame(jobs[1]?.from, states.at(-1), 'its latents are those of one node')
    const [first] = states
    const resumed = await run([], { ...change, ...(first && { begun: new Map([[0, first]]) }) }, undefined, runs)
    t.strictSame(stepsOf(resumed.events), [2, 3])
    t.strictSame(resumed.jobs.at(-1)?.from, states.at(-1), 'also where it goes on')
    begun.splice(0)
  }
  t.equal(mostAtOnce, 2)
  t.equal(count, 20)
})

t.test('a step is not split where that does not help', async t => {
  const none = { run: () => Promise.reject(new Error('no run was expected')) }
  const rgb = pictureOf(1)
  const cases: Record<string, [Partial<PaintRequest>, number[], number[]]> = {
    'runs that are short': [{}, [100, 100], []],
    'one idle node': [{}, [400], [2]],
    'no guidance': [{ guidance: 1 }, [400, 400], []],
    'several pictures': [{ pictures: 2 }, [400, 400], [2]],
    'a picture to begin with': [{ start: { rgb, strength: 1 } }, [400, 400], []]
  }
  for (const [what, [change, idle, asks]] of Object.entries(cases)) {
    const { asked } = await run([], change, undefined, { ...none, idle })
    t.strictSame(asked, asks, what)
  }
})

t.test('a model with a prior is drawn by one node, which may say nothing for longer', async t => {
  const model = placeableDiffusion()
  const manifest = requireDiffusion(model.manifest)
  const prior = { layerCount: 1 } as NonNullable<typeof manifest.config.prior>
  const imagining = { ...model, manifest: { ...manifest, config: { ...manifest.config, prior } } }
  const runs = { run: () => Promise.reject(new Error('no run was expected')), idle: [1e9, 1e9] }
  const { patience, jobs } = await run([painter()], { model: imagining }, undefined, runs)
  t.same(patience, [4])
  t.equal(jobs.length, 1)
  t.same((await run([painter()])).patience, [1])
})

t.test('what is no prediction names the node', async t => {
  for (const prediction of [new Float32Array(7), new Float32Array(8).fill(Number.NaN), new Float32Array(9)]) {
    const result = writeDenoiseResult(prediction)
    const lies: Runs = { idle: [400, 400], run: async () => ({ result, route: routeOf('liar') }) }
    await t.rejects(run([], {}, undefined, lies), { code: 'protocol_violation', details: { peerId: 'liar' } })
  }
})
