import { MeshError } from '@resultity/interface'
import { createMemoryHost, identityFromSeed, type MemoryHost } from '@resultity/test-mesh'
import {
  type ByteStream,
  FrameStream,
  STAGE_FRAME_BYTES_MAX,
  STAGE_PROTOCOL,
  type StageFrame,
  stageCodec
} from '@resultity/wire'
import t from 'tap'
import { NodeWorld } from './support/node-world.ts'
import { ScriptedCoordinator } from './support/scripted-coordinator.ts'

const OTHER = 9

/** Another node as far as trials show one. */
async function otherNode(world: NodeWorld): Promise<MemoryHost> {
  return createMemoryHost(world.network, {
    privateKey: await identityFromSeed(new Uint8Array(32).fill(OTHER)),
    listen: [ScriptedCoordinator.addressOf(OTHER)],
    agent: 'resultity-node/test',
    scheduler: world.machine
  })
}

/** Answers trials with what `answer` gives, or throws. */
async function answering(host: MemoryHost, answer: (placementId: string) => void): Promise<string[]> {
  const asked: string[] = []
  const accept = (stream: ConstructorParameters<typeof FrameStream>[0]): void => {
    const frames: FrameStream<StageFrame, StageFrame> = new FrameStream<StageFrame, StageFrame>(
      stream,
      stageCodec,
      {
        onFrame: frame => {
          if (frame.type !== 'try_hop') throw new MeshError('protocol_violation', frame.type)
          asked.push(frame.placementId)
          answer(frame.placementId)
          void frames.send({ type: 'hop_tried', placementId: frame.placementId })
        },
        onEnd: () => {}
      },
      { frameBytesMax: STAGE_FRAME_BYTES_MAX, scheduler: host.scheduler }
    )
  }
  await host.handle(STAGE_PROTOCOL, accept, { inboundStreamsMax: 8 })
  return asked
}

t.test('a stage is ready when the next one has said that it hears it, and has its assignment', async t => {
  const world = await NodeWorld.open()
  const coordinator = await world.joined()
  const other = await otherNode(world)
  let assigned = false
  const asked = await answering(other, () => {
    if (!assigned) throw new MeshError('session_unknown', 'not yet')
  })
  coordinator.assign('p1', { next: { peerId: other.peerId, multiaddrs: other.multiaddrs() } })
  await world.until('it is asked', () => asked.length > 3)
  t.equal(coordinator.last('p1')?.state, 'linking')
  t.equal(coordinator.last('p1')?.unreachedPeer, undefined, 'who answers is reached')
  assigned = true
  await world.until('it is ready', () => coordinator.last('p1')?.state === 'ready')
  t.same([...new Set(coordinator.states('p1'))], ['fetching', 'building', 'testing', 'linking', 'ready'])
  t.same([...new Set(asked)], ['p1'])
})

t.test('a next stage that is not there is named, with the reason, and tried on', async t => {
  const world = await NodeWorld.open()
  const coordinator = await world.joined()
  const { peerId } = await otherNode(world).then(async host => {
    await host.close()
    return host
  })
  coordinator.assign('p1', { next: { peerId, multiaddrs: [ScriptedCoordinator.addressOf(OTHER)] } })
  await world.until('it says so', () => coordinator.last('p1')?.unreachedPeer !== undefined)
  t.match(coordinator.last('p1'), { state: 'linking', unreachedPeer: peerId, error: { code: 'peer_unreachable' } })
  t.equal(world.stages.served().length, 1, 'what is loaded stays loaded')
  const other = await otherNode(world)
  await answering(other, () => {})
  await world.until('it is ready', () => coordinator.last('p1')?.state === 'ready')
})

t.test('one that takes its calls and does not answer is not reached either', async t => {
  const world = await NodeWorld.open()
  const coordinator = await world.joined()
  const other = await otherNode(world)
  const streams: ByteStream[] = []
  await other.handle(STAGE_PROTOCOL, stream => void streams.push(stream), { inboundStreamsMax: 8 })
  coordinator.assign('p1', { next: { peerId: other.peerId, multiaddrs: other.multiaddrs() } })
  await world.until('it says so', () => coordinator.last('p1')?.unreachedPeer !== undefined)
  t.match(coordinator.last('p1'), { error: { code: 'deadline_exceeded' } })
  await world.until('it is asked once more', () => streams.length > 2)
  t.same(
    streams.slice(0, 2).map(({ status }) => status),
    ['reset', 'reset'],
    'trials that are over keep no stream'
  )
  const before = coordinator.updates.length
  coordinator.release('p1', 'another order')
  await world.pass(60_000)
  t.equal(world.stages.served().length, 0)
  t.notOk(
    coordinator.updates.slice(before).some(({ unreachedPeer }) => unreachedPeer !== undefined),
    'who is released tries no more'
  )
})

t.test('a node takes the hops of the stage before it, and of no other peer', async t => {
  const world = await NodeWorld.open()
  const coordinator = await world.joined()
  const other = await otherNode(world)
  const ask = async (host: MemoryHost, placementId: string): Promise<StageFrame | undefined> => {
    const said: StageFrame[] = []
    const frames = new FrameStream<StageFrame, StageFrame>(
      await world.of(
        host.open({ peerId: world.peerId, multiaddrs: [ScriptedCoordinator.addressOf(1)] }, STAGE_PROTOCOL)
      ),
      stageCodec,
      { onFrame: frame => void said.push(frame), onEnd: () => {} },
      { frameBytesMax: STAGE_FRAME_BYTES_MAX, scheduler: host.scheduler }
    )
    void frames.send({ type: 'try_hop', placementId })
    await world.until('it answers', () => said.length > 0)
    return said[0]
  }
  t.match(await ask(other, 'p1'), { type: 'fault', error: { code: 'session_unknown' } })
  coordinator.assign('p1', { previousPeer: other.peerId })
  await world.until('it is ready', () => coordinator.last('p1')?.state === 'ready')
  t.match(await ask(other, 'p1'), { type: 'hop_tried', placementId: 'p1' })
  t.match(await ask(coordinator.host, 'p1'), { type: 'fault', error: { code: 'session_forbidden' } })
})
