import { MeshError, PICTURES_ENDPOINT, type Route } from '@resultity/interface'
import { NodeLosses, type Placement } from '@resultity/placement'
import {
  createMemoryHost,
  identityFromSeed,
  type MemoryHost,
  SimulatedNetwork,
  VirtualScheduler
} from '@resultity/test-mesh'
import { placeableDiffusion } from '@resultity/test-nodes'
import {
  FrameStream,
  JOB_FRAME_BYTES_MAX,
  JOB_PROTOCOL,
  type JobEvent,
  type JobRequest,
  jobEventCodec
} from '@resultity/wire'
import t from 'tap'
import { type FollowedJob, type NodeJobOptions, NodeJobs } from '../src/node-jobs/node-jobs.ts'

const LIMITS = { jobStartMs: 10_000, jobRunMs: 1000, jobGraceMs: 100, lossNoticeMs: 10, routeAttemptsMax: 3 }

/** What a node does so long after it was asked: tells something, gives its result, or is gone. */
type Script = readonly (readonly [afterMs: number, what: string])[]

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const bytes = (said: string): Uint8Array => new TextEncoder().encode(said)

/** Counts to 9 on nodes that follow scripts, in virtual time: what is told is how far it is. */
async function count(scripts: readonly Script[], options: NodeJobOptions = {}, change: Partial<FollowedJob> = {}) {
  const scheduler = new VirtualScheduler({ seed: 1 })
  const network = new SimulatedNetwork({ latencyMs: () => 5, deadAfterMs: 49_000 })
  const start = async (number: number): Promise<MemoryHost> =>
    createMemoryHost(network, {
      privateKey: await identityFromSeed(new Uint8Array(32).fill(number)),
      listen: [`/ip4/10.0.0.${number}/tcp/4701`],
      agent: 'resultity-node/test',
      scheduler: scheduler.process()
    })
  const coordinator = await start(1)
  const requests: string[] = []
  const hosts = await Promise.all(scripts.map((_, index) => start(index + 2)))
  for (const [index, host] of hosts.entries()) {
    const accept = (stream: ConstructorParameters<typeof FrameStream>[0]): void => {
      let sequence = 0
      const act = (what: string): void => {
        if (what === 'gone') frames.abort(new Error('gone'))
        else if (what.startsWith('result'))
          void frames.send({ type: 'result', sequence: sequence++, result: bytes(what) })
        else void frames.send({ type: 'chunk', sequence: sequence++, chunk: bytes(what) })
      }
      const onFrame = ({ body, attempt, deadlineMs }: JobRequest): void => {
        requests.push(`${attempt}: from ${text(body)} within ${deadlineMs}`)
        void frames.send({ type: 'started', sequence: sequence++ })
        for (const [ms, what] of scripts[index] ?? []) host.scheduler.setTimeout(() => act(what), ms)
      }
      const frames: FrameStream<JobEvent, JobRequest> = new FrameStream<JobEvent, JobRequest>(
        stream,
        jobEventCodec,
        { onFrame, onEnd: () => {} },
        { frameBytesMax: JOB_FRAME_BYTES_MAX, scheduler: host.scheduler }
      )
    }
    await host.handle(JOB_PROTOCOL, accept, { inboundStreamsMax: 8 })
  }
  const placements = hosts.map(({ peerId }, index) => {
    const route: Route = { placementId: `p${index}`, stages: [{ peerId, range: { first: 0, end: 4 } }] }
    return { route, placement: { id: `p${index}` } as Placement }
  })
  let asked = 0
  let held = 0
  const resumed: boolean[] = []
  const jobs = new NodeJobs(
    {
      opener: coordinator,
      scheduler: coordinator.scheduler,
      addressOf: peerId => {
        const host = hosts.find(one => one.peerId === peerId)
        return host && { peerId, multiaddrs: host.multiaddrs() }
      },
      onNodeLeft: () => () => {},
      leases: {
        lease: async (_model, _routing, { resumes } = {}) => {
          resumed.push(resumes === true)
          const placement = placements[asked++ % placements.length]
          if (placement === undefined) throw new Error('no node')
          held++
          let free = false
          const dispose = (): void => {
            if (!free) held--
            free = true
          }
          return { ...placement, [Symbol.dispose]: dispose }
        },
        untilBroken: async () => {}
      }
    },
    LIMITS
  )
  let known = 0
  const job: FollowedJob = {
    jobId: 'job',
    model: placeableDiffusion(),
    endpoint: PICTURES_ENDPOINT,
    eventCount: 10,
    jobsPerEvent: 2,
    attempt: () => {
      const from = known
      return {
        body: bytes(String(from)),
        events: {
          chunkBytesMax: 100,
          bytesMax: 1000,
          countMax: 9,
          take: chunk => {
            if (text(chunk) === 'nonsense') throw new MeshError('protocol_violation', 'nonsense')
            known = Number(text(chunk))
            return undefined
          }
        },
        gotFurther: () => known > from
      }
    },
    ...change
  }
  const outcome = jobs.follow(job, options).then(
    ({ result, route }) => `${text(result)} of ${route.placementId}`,
    (error: unknown) => MeshError.from(error)
  )
  let ended: string | MeshError | undefined
  void outcome.then(value => {
    ended = value
  })
  await scheduler.run(() => ended !== undefined, 600_000)
  return { ended, requests, resumed, held, active: jobs.active, ms: scheduler.elapsedMs }
}

t.test('where a node is lost, the next is sent what is left', async t => {
  const { ended, requests, held, active } = await count([
    [
      [100, '2'],
      [200, '4'],
      [300, 'gone']
    ],
    [
      [100, '7'],
      [200, 'result 9']
    ]
  ])
  t.equal(ended, 'result 9 of p1')
  t.strictSame(requests, ['1: from 0 within 20000', '2: from 4 within 20000'])
  t.strictSame([held, active], [0, 0], 'nothing is held any more')
})

t.test('nodes that get on may be lost more often than those that do not', async t => {
  const dies = (at: number): Script => [
    [100, String(at)],
    [200, 'gone']
  ]
  const onward = [dies(1), dies(2), dies(3), dies(4), [[100, 'result 9']] as const]
  t.equal((await count(onward)).ended, 'result 9 of p4')
  const { ended, requests } = await count([dies(1), dies(1), dies(1), dies(1), [[100, 'result 9']]])
  t.match(ended, { code: 'node_lost' })
  t.equal(requests.length, 3, 'it was tried three times without getting on')
  const told = await count(Array(5).fill(dies(1)), { losses: new NodeLosses(2, 0) })
  t.match(told.ended, { code: 'nodes_lost_too_often' })
})

t.test('work that has begun goes before what has not', async t => {
  const gone: Script = [[100, 'gone']]
  const further: Script = [
    [100, '1'],
    [200, 'gone']
  ]
  const done: Script = [[100, 'result 9']]
  t.strictSame((await count([gone, further, done])).resumed, [false, false, true])
  t.strictSame((await count([further, gone, done])).resumed, [false, true, true])
  t.strictSame((await count([gone, done], {}, { begun: true })).resumed, [true, true])
})

t.test('a node that says nothing for too long is lost, one that goes on saying something is not', async t => {
  const silent: Script = [[1500, '1']]
  const slow: Script = [1, 2, 3, 4].map(step => [step * 1900, String(step + 1)] as const)
  const { ended, ms } = await count([silent, [...slow, [9000, 'result 9']]])
  t.equal(ended, 'result 9 of p1')
  t.ok(ms > 3500 + 9000 && ms < 3600 + 9100, `after ${ms} ms`)
  const alone = await count([[]])
  t.match(alone.ended, { code: 'node_lost', message: /said nothing for 2000 ms/ })
  t.equal(alone.held, 0)
})

t.test('what a node says that is not taken ends the job', async t => {
  const nonsense = await count([[[100, 'nonsense']], [[100, 'result 9']]])
  t.match(nonsense.ended, { code: 'protocol_violation', message: 'nonsense' })
  const many = Array.from({ length: 10 }, (_, index) => [100 + index, '1'] as const)
  const tooMany = await count([many, [[100, 'result 9']]])
  t.match(tooMany.ended, { code: 'protocol_violation', message: /longer than 1000 bytes in 9 events/ })
  t.equal(tooMany.requests.length, 1)
})

t.test('batch work is waited for longer', async t => {
  const late: Script = [
    [5000, '1'],
    [10_000, 'result 9']
  ]
  t.equal((await count([late], { workClass: 'batch' })).ended, 'result 9 of p0')
})
