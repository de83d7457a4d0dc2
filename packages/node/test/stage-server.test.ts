import { GREEDY } from '@resultity/interface'
import {
  createMemoryHost,
  identityFromSeed,
  MemoryEngine,
  type MemoryHost,
  SimulatedNetwork,
  VirtualScheduler
} from '@resultity/test-mesh'
import { placeable } from '@resultity/test-nodes'
import {
  type ByteStream,
  FrameStream,
  type OpenSession,
  STAGE_PROTOCOL,
  type StageFrame,
  stageCodec
} from '@resultity/wire'
import { pino } from 'pino'
import t from 'tap'
import { DEFAULT_NODE_LIMITS } from '../src/node-init.ts'
import { StageServer, type StageServerComponents } from '../src/stage-server.ts'
import { StageTable } from '../src/stage-table.ts'

const LAYERS = 2
/** A position takes 200 ms on this node. */
const POSITION_LAYER_MS = 100
const PROMPT = Array.from({ length: 40 }, (_, index) => index + 1)

/** A node with one stage of a slow engine, and a coordinator, in virtual time. */
async function slowStage(end: number, { opensAfterMs = 0 } = {}) {
  const scheduler = new VirtualScheduler({ seed: 1 })
  const network = new SimulatedNetwork({ latencyMs: () => 5, deadAfterMs: 49_000 })
  const start = async (number: number): Promise<MemoryHost> =>
    createMemoryHost(network, {
      privateKey: await identityFromSeed(new Uint8Array(32).fill(number)),
      listen: [`/ip4/10.0.0.${number}/tcp/4701`],
      agent: 'resultity-node/test',
      scheduler: scheduler.process()
    })
  const [node, coordinator] = [await start(1), await start(2)]
  const machine = node.scheduler
  const engine = new MemoryEngine({ scheduler: machine, positionLayerMs: () => POSITION_LAYER_MS })
  const stages = new StageTable(
    { engine, scheduler: machine },
    { memoryBytes: 2 ** 30, threads: 1, spinning: false, workDir: '', stagesMax: 1 }
  )
  const { manifest, manifestSha256, sessionsMax } = placeable(LAYERS)
  const range = { first: 0, end }
  let ready = false
  const source = {
    hold: () => ({ [Symbol.dispose]: () => {} }),
    manifest: async () => manifest,
    files: async (files: readonly { sha256: string }[]) => new Map(files.map(({ sha256 }) => [sha256, sha256]))
  }
  const assignment = { placementId: 'p1', manifestSha256, range, contextLength: 256, sessionsMax }
  void stages.assign(assignment, source, state => {
    ready = state === 'ready'
  })
  await scheduler.run(() => ready, 600_000)
  const host: StageServerComponents['host'] = {
    handle: (...args) => node.handle(...args),
    unhandle: (...args) => node.unhandle(...args),
    remoteAddrOf: peerId => node.remoteAddrOf(peerId),
    open: async (peer, protocol) => {
      await machine.sleep(opensAfterMs)
      return node.open(peer, protocol)
    }
  }
  const server = new StageServer(
    {
      host: opensAfterMs > 0 ? host : node,
      stages,
      logger: pino({ level: 'silent' }),
      scheduler: machine,
      mayOpen: () => true,
      mayAsk: () => true,
      isKnown: () => true,
      admitHop: () => {}
    },
    { ...DEFAULT_NODE_LIMITS, streamsPerPeerMax: 8 }
  )
  await server.listen()
  const dial = async () => {
    const said: StageFrame[] = []
    let control: FrameStream<StageFrame, StageFrame> | undefined
    const handlers = { onFrame: (frame: StageFrame) => void said.push(frame), onEnd: () => {} }
    void coordinator.open({ peerId: node.peerId, multiaddrs: node.multiaddrs() }, STAGE_PROTOCOL).then(stream => {
      control = new FrameStream(stream, stageCodec, handlers, {
        frameBytesMax: 1 << 20,
        scheduler: coordinator.scheduler
      })
    })
    await scheduler.run(() => control !== undefined, 1000)
    if (control === undefined) throw new Error('no stream was opened')
    return { control, said }
  }
  return { scheduler, ...(await dial()), dial, start, server, range }
}

const session = new Uint8Array(16).fill(7)

function openFrame(range: OpenSession['range'], next?: OpenSession['next']): OpenSession {
  return {
    type: 'open',
    session,
    epoch: 1,
    placementId: 'p1',
    range,
    next,
    previousPeer: '',
    promptCount: PROMPT.length,
    tokensMax: 8,
    prefillChunk: 8,
    endTokens: [],
    sampling: GREEDY,
    leaseMs: 120_000,
    logprobs: false,
    topLogprobs: 0
  }
}

t.test('a node that is about to leave refuses new sessions, and those that are open go on', async t => {
  const { scheduler, control, said, dial, server, range } = await slowStage(LAYERS)
  void control.send(openFrame(range))
  await scheduler.run(() => said.length > 0, 1000)
  server.startDraining()
  void control.send({ type: 'prompt', session, epoch: 1, tokens: PROMPT })
  await scheduler.run(() => said.some(({ type }) => type === 'sampled'), 60_000)
  t.ok(said.some(({ type }) => type === 'sampled'))
  t.equal(server.sessionsOpen, 1)
  const another = await dial()
  void another.control.send({ ...openFrame(range), session: new Uint8Array(16).fill(8) })
  await scheduler.run(() => another.said.length > 0, 1000)
  t.match(another.said, [{ type: 'fault', error: { code: 'node_draining' } }])
})

t.test('a coordinator that slept is fenced off by the next attempt at its request', async t => {
  const { scheduler, control, said, dial, server, range } = await slowStage(LAYERS)
  const key = new Uint8Array(16).fill(9)
  const openWith = (number: number, term: number): OpenSession => {
    return { ...openFrame(range), session: new Uint8Array(16).fill(number), fence: { key, term } }
  }
  void control.send(openWith(1, 1))
  await scheduler.run(() => said.length > 0, 1000)
  const next = await dial()
  void next.control.send(openWith(2, 2))
  await scheduler.run(() => next.said.length > 0, 1000)
  t.match(next.said, [{ type: 'opened' }])
  t.match(said, [{ type: 'opened' }, { type: 'fault', error: { code: 'session_fenced' } }], 'the earlier one ends')
  const late = await dial()
  void late.control.send(openWith(3, 1))
  await scheduler.run(() => late.said.length > 0, 1000)
  t.match(late.said, [{ type: 'fault', error: { code: 'session_fenced' } }], 'and does not come back')
  const second = await dial()
  void second.control.send(openWith(4, 2))
  await scheduler.run(() => second.said.length > 0, 1000)
  t.match(second.said, [{ type: 'opened' }], 'an attempt may have several')
  t.equal(server.sessionsOpen, 2)
})

t.test('a session that is not wanted any more ends in the midst of its prompt', async t => {
  const { scheduler, control, said, server, range } = await slowStage(LAYERS)
  void control.send(openFrame(range))
  await scheduler.run(() => said.length > 0, 1000)
  t.match(said, [{ type: 'opened' }])
  void control.send({ type: 'prompt', session, epoch: 1, tokens: PROMPT })
  await scheduler.run(() => false, 500)
  t.equal(server.sessionsOpen, 1, 'the prompt takes 8 s')
  void control.send({ type: 'close', session, reason: 'the client hung up' })
  void control.close()
  await scheduler.run(() => false, 50)
  t.equal(server.sessionsOpen, 0)
})

t.test('and while it waits for a next stage that nobody reaches', async t => {
  const { scheduler, control, server, range } = await slowStage(1)
  const nowhere = {
    peerId: '12D3KooWGNVNFWWFhEuBQ3NzwZw9yajLwnhW1UUFTobAmVdk6LLQ',
    multiaddrs: ['/ip4/203.0.113.1/tcp/1']
  }
  void control.send(openFrame(range, nowhere))
  await scheduler.run(() => false, 500)
  t.equal(server.sessionsOpen, 1, `it is dialled for ${DEFAULT_NODE_LIMITS.hopTimeoutMs} ms`)
  void control.send({ type: 'close', session, reason: 'the client hung up' })
  void control.close()
  await scheduler.run(() => false, 50)
  t.equal(server.sessionsOpen, 0)
})

t.test('a hop that comes about too late is cut off', async t => {
  const { scheduler, control, said, start, range } = await slowStage(1, {
    opensAfterMs: DEFAULT_NODE_LIMITS.hopTimeoutMs + 1000
  })
  const next = await start(3)
  const streams: ByteStream[] = []
  await next.handle(STAGE_PROTOCOL, stream => void streams.push(stream), { inboundStreamsMax: 8 })
  void control.send(openFrame(range, { peerId: next.peerId, multiaddrs: next.multiaddrs() }))
  await scheduler.run(() => streams.length > 0, 60_000)
  t.match(said.at(-1), { type: 'fault', error: { code: 'deadline_exceeded' } })
  await scheduler.run(() => false, 100)
  t.match(streams, [{ status: 'reset' }])
})

t.test('a prompt before the session is open is refused', async t => {
  const { scheduler, control, said, server, range } = await slowStage(1)
  const nowhere = {
    peerId: '12D3KooWGNVNFWWFhEuBQ3NzwZw9yajLwnhW1UUFTobAmVdk6LLQ',
    multiaddrs: ['/ip4/203.0.113.1/tcp/1']
  }
  void control.send(openFrame(range, nowhere))
  void control.send({ type: 'prompt', session, epoch: 1, tokens: PROMPT })
  await scheduler.run(() => said.length > 0, 1000)
  t.match(said, [{ type: 'fault', error: { code: 'protocol_violation', message: /before the session was opened/ } }])
  t.equal(server.sessionsOpen, 0)
})

t.test('what went well is kept for the next session of the placement, until the placement ends', async t => {
  const { scheduler, dial, server, range } = await slowStage(LAYERS)
  const blocks = [1, 2, 3].map(number => `0${number}`.repeat(16))
  const ask = async (
    number: number,
    fields: Partial<OpenSession>,
    keep: boolean
  ): Promise<{ readonly kept: number | undefined; readonly token: number | undefined }> => {
    const { control, said } = await dial()
    const id = { session: new Uint8Array(16).fill(number), epoch: 1 }
    void control.send({ ...openFrame(range), prefix: { blocks, afresh: false }, ...fields, ...id })
    await scheduler.run(() => said.length > 0, 1000)
    const [opened] = said
    const kept = opened?.type === 'opened' ? opened.kept : undefined
    void control.send({ type: 'prompt', ...id, tokens: PROMPT, ...(kept === undefined ? {} : { kept }) })
    await scheduler.run(() => said.some(({ type }) => type === 'sampled'), 60_000)
    void control.send({ type: 'close', session: id.session, reason: 'done', keep })
    await scheduler.run(() => server.sessionsOpen === 0, 1000)
    const sampled = said.find(frame => frame.type === 'sampled')
    return { kept, token: sampled?.type === 'sampled' ? sampled.token : undefined }
  }
  const cold = await ask(1, {}, false)
  t.equal(cold.kept, undefined)
  t.same(await ask(2, {}, true), cold, 'nothing was to be kept')
  t.same(await ask(3, {}, true), { ...cold, kept: 24 })
  t.same(await ask(4, { prefix: { blocks, afresh: true } }, false), cold, 'it begins afresh')
  t.same(await ask(5, { prefix: { blocks: [...blocks.slice(0, 1), 'ff'.repeat(16)], afresh: false } }, false), {
    ...cold,
    kept: 8
  })
  const many = Array.from({ length: 9 }, (_, index) => `${index}f`.repeat(16))
  t.same(await ask(6, { prefix: { blocks: [...blocks, ...many], afresh: false } }, true), { ...cold, kept: 24 })
  t.same(await ask(7, { prefillChunk: 4 }, false), cold, 'in other steps')
  server.endPlacement('p1', 'it was released')
  t.same(await ask(8, {}, true), cold)
})
