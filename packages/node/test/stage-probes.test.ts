import { join } from 'node:path'
import type { StageSession } from '@resultity/engine'
import { GREEDY } from '@resultity/interface'
import { createMeshHost, loadIdentity, type MeshHost } from '@resultity/mesh'
import {
  FrameStream,
  type OpenSession,
  STAGE_FRAME_BYTES_MAX,
  STAGE_PROTOCOL,
  type StageFrame,
  stageCodec
} from '@resultity/wire'
import { pino } from 'pino'
import { type Test, test } from 'tap'
import { ParkedSessions } from '../src/parked-sessions.ts'
import { StageServer } from '../src/stage-server.ts'
import type { StageTable } from '../src/stage-table.ts'

const session = new Uint8Array(16).fill(9)
const ofSession = { session, epoch: 1 }

const open: OpenSession = {
  type: 'open',
  ...ofSession,
  placementId: 'p',
  range: { first: 0, end: 1 },
  next: undefined,
  previousPeer: '',
  promptCount: 4,
  tokensMax: 4,
  prefillChunk: 128,
  endTokens: [],
  sampling: GREEDY,
  leaseMs: 60_000,
  logprobs: false,
  topLogprobs: 0
}

/** A node with one stage, whose runs end when they are told to, and a coordinator's control stream to it. */
async function setUp(t: Test) {
  const directory = t.testdir({ node: {}, coordinator: {} })
  const hostOf = async (name: string): Promise<MeshHost> => {
    const privateKey = await loadIdentity(join(directory, name))
    const host = await createMeshHost({ privateKey, listen: ['/ip4/127.0.0.1/tcp/0'], agent: `${name}/1` })
    t.teardown(() => host.close())
    return host
  }
  const node = await hostOf('node')
  const coordinator = await hostOf('coordinator')
  const running = Promise.withResolvers<Float32Array>()
  const disposed = Promise.withResolvers<void>()
  const slot: StageSession = {
    position: 0,
    run: () => running.promise,
    truncate: () => {},
    [Symbol.dispose]: () => disposed.resolve()
  }
  const stage = { range: open.range, first: true, last: true, hiddenSize: 4, open: () => slot }
  const served = { stage, manifest: { config: { vocabularySize: 16 } } }
  const stages = { find: () => served, parked: new ParkedSessions() } as unknown as StageTable
  const permissions = { mayOpen: () => true, mayAsk: () => true, isKnown: () => true, admitHop: () => {} }
  const limits = { streamsPerPeerMax: 8, joinsPendingMax: 8, joinsPendingPerPeerMax: 8 }
  const times = { hopTimeoutMs: 60_000, joinTimeoutMs: 60_000, firstFrameMs: 60_000, sentLogBytes: 0 }
  const logger = pino({ level: 'silent' })
  const server = new StageServer({ host: node, stages, logger, ...permissions }, { ...limits, ...times })
  await server.listen()
  t.teardown(() => server.close())

  const frames: StageFrame[] = []
  const waiting = new Map<string, () => void>()
  const control = new FrameStream<StageFrame, StageFrame>(
    await coordinator.open({ peerId: node.peerId, multiaddrs: node.multiaddrs() }, STAGE_PROTOCOL),
    stageCodec,
    {
      onFrame: frame => {
        frames.push(frame)
        waiting.get(frame.type)?.()
      },
      onEnd: () => waiting.get('end')?.()
    },
    { frameBytesMax: STAGE_FRAME_BYTES_MAX }
  )
  const until = (type: string): Promise<void> => new Promise(resolve => waiting.set(type, resolve))
  return { control, until, frames, running, disposed: disposed.promise }
}

test('a probe is answered while a prompt runs, and its end frees the slot', async t => {
  const { control, until, frames, running, disposed } = await setUp(t)
  const opened = until('opened')
  await control.send(open)
  await opened
  const acked = until('probe_ack')
  await control.send({ type: 'prompt', ...ofSession, tokens: [1, 2, 3, 4] })
  await control.send({ type: 'probe', ...ofSession, nonce: 7 })
  await acked
  t.match(frames.at(-1), { type: 'probe_ack', epoch: 1, nonce: 7 })
  await control.send({ type: 'close', session, reason: 'the client hung up' })
  await disposed
  running.resolve(new Float32Array(16))
})
