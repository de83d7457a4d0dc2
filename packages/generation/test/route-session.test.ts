import { GREEDY, MeshError } from '@resultity/interface'
import {
  createMemoryHost,
  identityFromSeed,
  type MemoryHost,
  SimulatedNetwork,
  VirtualScheduler
} from '@resultity/test-mesh'
import { FrameStream, type OpenSession, STAGE_PROTOCOL, type StageFrame, stageCodec } from '@resultity/wire'
import t from 'tap'
import { RouteSession } from '../src/route-session.ts'

const LIMITS = {
  sessionOpenMs: 10_000,
  firstTokenMs: 60_000,
  promptTokenMs: 100,
  nextTokenMs: 30_000,
  tellWithinMs: 250,
  sessionLeaseMs: 120_000,
  sessionCloseMs: 1000,
  lossGraceMs: 300,
  probeAnswerMs: 500
}

/** Says so long after it was asked to open what it says. */
type Script = readonly (readonly [afterMs: number, say: (open: OpenSession) => StageFrame])[]

const opened = ({ session, epoch }: OpenSession): StageFrame => ({ type: 'opened', session, epoch })
const neighbourLost = ({ session, epoch }: OpenSession): StageFrame => {
  return { type: 'fault', session, epoch, error: new MeshError('node_lost', 'the previous stage went away') }
}

/** A route over stages that follow scripts, in virtual time. */
async function routeOf(scripts: readonly Script[], fields: Partial<Parameters<typeof RouteSession.open>[2]> = {}) {
  const heard: StageFrame[][] = scripts.map(() => [])
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
  const hosts = await Promise.all(scripts.map((_, index) => start(index + 2)))
  for (const [index, host] of hosts.entries()) {
    const accept = (stream: ConstructorParameters<typeof FrameStream>[0]): void => {
      const onFrame = (frame: StageFrame): void => {
        if (frame.type !== 'probe') heard[index]?.push(frame)
        if (frame.type === 'close') void frames.close()
        if (frame.type !== 'open') return
        for (const [ms, say] of scripts[index] ?? []) host.scheduler.setTimeout(() => void frames.send(say(frame)), ms)
      }
      const frames: FrameStream<StageFrame, StageFrame> = new FrameStream<StageFrame, StageFrame>(
        stream,
        stageCodec,
        { onFrame, onEnd: () => {} },
        { frameBytesMax: 1 << 20, scheduler: host.scheduler }
      )
    }
    await host.handle(STAGE_PROTOCOL, accept, { inboundStreamsMax: 8 })
  }
  const addresses = new Map(hosts.map(host => [host.peerId, { peerId: host.peerId, multiaddrs: host.multiaddrs() }]))
  const stages = hosts.map(({ peerId }, index) => ({ peerId, range: { first: index, end: index + 1 } }))
  const opening = RouteSession.open(
    {
      opener: coordinator,
      scheduler: coordinator.scheduler,
      addressOf: peerId => addresses.get(peerId),
      onNodeLeft: () => () => {},
      suspect: () => false,
      suspectLink: () => false
    },
    LIMITS,
    {
      route: { placementId: 'p1', stages },
      session: new Uint8Array(16),
      epoch: 1,
      committed: [],
      prompt: [1, 2, 3],
      tokensMax: 4,
      prefillChunk: 8,
      endTokens: new Set(),
      tokensMin: 0,
      sampling: GREEDY,
      logprobs: false,
      topLogprobs: 0,
      vocabularySize: 64,
      promptLogprobs: false,
      workClass: 'interactive',
      watched: true,
      ...fields
    }
  )
  return { scheduler, opening, heard }
}

t.test('a route opens when all of its stages have', async t => {
  const { scheduler, opening } = await routeOf([[[100, opened]], [[3000, opened]]])
  let session: RouteSession | undefined
  void opening.then(open => {
    session = open
  })
  await scheduler.run(() => session !== undefined, 10_000)
  t.ok(scheduler.elapsedMs > 3000 && scheduler.elapsedMs < 3100)
  const ending = session?.close('enough')
  await scheduler.run(() => false, 5000)
  await ending
})

t.test('a stage that loses its neighbour while another opens ends the opening at once, for the next route', async t => {
  const scripts: Record<string, Script[]> = {
    'before the other has opened': [
      [[500, opened]],
      [
        [100, opened],
        [400, neighbourLost]
      ]
    ],
    'with the word that makes it complete': [
      [[100, opened]],
      [
        [400, opened],
        [400, neighbourLost]
      ]
    ]
  }
  for (const [name, script] of Object.entries(scripts)) {
    const { scheduler, opening } = await routeOf(script)
    let failed: unknown
    const trying = opening
      .then(session => session.next())
      .catch((error: unknown) => {
        failed = error
      })
    await scheduler.run(() => failed !== undefined, 60_000)
    await trying
    t.match(failed, { code: 'node_lost', message: /the previous stage went away/ }, name)
    t.ok(scheduler.elapsedMs < 3000, `${name}: after ${scheduler.elapsedMs} ms`)
  }
})

t.test('the prompt begins behind what all stages have kept, and they may keep what went well', async t => {
  const prompt = Array.from({ length: 30 }, (_, index) => index)
  const prefix = { blocks: ['00'.repeat(16), '11'.repeat(16)], afresh: false }
  const keeping =
    (kept: number) =>
    (open: OpenSession): StageFrame =>
      ({ ...opened(open), kept }) as StageFrame
  const fault = ({ session, epoch }: OpenSession): StageFrame => {
    return { type: 'fault', session, epoch, error: new MeshError('engine_failed', 'it broke') }
  }
  const ends: Record<string, { readonly last: Script; readonly fail?: MeshError; readonly keep: boolean | undefined }> =
    {
      'it is complete': { last: [], keep: true },
      'the client hung up': { last: [], fail: new MeshError('canceled', 'the client hung up'), keep: true },
      'it took too long': { last: [], fail: new MeshError('deadline_exceeded', 'too long'), keep: undefined },
      'a stage failed': { last: [[200, fault]], keep: undefined }
    }
  for (const [name, { last, fail, keep }] of Object.entries(ends)) {
    const scripts: Script[] = [[[10, keeping(16)]], [[20, keeping(8)], ...last]]
    const { scheduler, opening, heard } = await routeOf(scripts, { prompt, prefix })
    let session: RouteSession | undefined
    void opening.then(open => {
      session = open
    })
    await scheduler.run(() => session !== undefined, 10_000)
    t.equal(session?.kept, 8)
    await scheduler.run(() => false, 1000)
    if (fail !== undefined) session?.fail(fail)
    const ending = session?.close(name)
    await scheduler.run(() => false, 5000)
    await ending
    t.match(heard[0], [{ type: 'open', prefix }, { type: 'prompt', kept: 8 }, { type: 'close' }], name)
    t.match(heard[1], [{ type: 'open', prefix }, { type: 'close' }])
    t.same(
      heard.map(frames => frames.flatMap(frame => (frame.type === 'close' ? [frame.keep] : []))),
      [[keep], [keep]]
    )
  }
})
