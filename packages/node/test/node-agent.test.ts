import { MeshError } from '@resultity/interface'
import { answerOf } from '@resultity/test-mesh'
import { type ByteStream, MEMBERSHIP_PROTOCOL, type StageFrame } from '@resultity/wire'
import t from 'tap'
import { LAYERS, MIB, NodeWorld } from './support/node-world.ts'
import {
  type ControlStream,
  HEARTBEAT_MS,
  MISSES_MAX,
  type ScriptedCoordinator
} from './support/scripted-coordinator.ts'

const PROMPT = [5, 6, 7, 8]
const TOKENS = 8
const HOUR_MS = 3_600_000
const SESSION = new Uint8Array(16).fill(7)

function prompt(tokens: readonly number[] = PROMPT): StageFrame {
  return { type: 'prompt', session: SESSION, epoch: 1, tokens }
}

function sampled({ said }: ControlStream): number[] {
  return said.flatMap(frame => (frame.type === 'sampled' ? [frame.token] : []))
}

/** A node that serves `p1`, and its coordinator. */
async function serving(init: Parameters<typeof NodeWorld.open>[0] = {}) {
  const world = await NodeWorld.open(init)
  const coordinator = await world.joined()
  await serve(world, coordinator, 'p1')
  return { world, coordinator }
}

async function serve(world: NodeWorld, coordinator: ScriptedCoordinator, placementId: string): Promise<void> {
  coordinator.assign(placementId)
  await world.until(`${placementId} is ready`, () => coordinator.last(placementId)?.state === 'ready', HOUR_MS)
}

t.test('it says hello with what it has, and beats as it was told to', async t => {
  const world = await NodeWorld.open()
  const coordinator = await world.joined()
  const offered = { memoryOfferedBytes: 64 * MIB, memoryFreeBytes: 64 * MIB, labels: { zone: 'attic' }, stages: [] }
  t.match(coordinator.adverts, [{ peerId: world.peerId, ...offered }])
  await world.pass(10 * HEARTBEAT_MS + HEARTBEAT_MS / 2)
  t.equal(coordinator.beats, 10)
  t.equal(coordinator.hellos, 1)
  t.same(coordinator.refusedAdverts, [])
})

t.test('its adverts are renewed before they end, however long it is a member', async t => {
  const world = await NodeWorld.open()
  const coordinator = await world.joined()
  await world.pass(HOUR_MS)
  const gaps = coordinator.adverts.slice(1).map((advert, index) => {
    return advert.issuedAtMs - (coordinator.adverts[index]?.issuedAtMs ?? 0)
  })
  t.ok(gaps.length > 0 && gaps.every(gap => gap < 30_000), `every ${Math.max(...gaps)} ms at the latest`)
  t.same(coordinator.refusedAdverts, [])
  t.equal(coordinator.hellos, 1)
})

t.test('a coordinator that comes late is joined', async t => {
  const world = await NodeWorld.open()
  await world.pass(HOUR_MS)
  const coordinator = await world.joined()
  t.equal(coordinator.hellos, 1)
})

t.test('a refusal is told once, and asked again less and less often', async t => {
  const world = await NodeWorld.open()
  const coordinator = await world.coordinator()
  coordinator.refusal = new MeshError('peer_refused', 'this node may not join', { hint: 'allow it' })
  await world.pass(60_000)
  const first = coordinator.hellos
  await world.pass(60_000)
  const second = coordinator.hellos - first
  t.ok(second < first && second >= 3, `${first} hellos in the first minute, ${second} in the second`)
  t.equal(world.warnings.filter(warning => warning.includes('this node may not join')).length, 1)
  coordinator.refusal = undefined
  await world.until('it is a member', () => coordinator.joined)
})

t.test('it serves what it is assigned, and says how far it is', async t => {
  const { world, coordinator } = await serving()
  t.same([...new Set(coordinator.states('p1'))], ['fetching', 'building', 'testing', 'ready'])
  t.match(coordinator.last('p1'), { memoryBytes: Number, decodeMsPerLayer: Number, error: undefined })
  await world.until('its advert lists the stage', () => coordinator.adverts.at(-1)?.stages.length === 1)
  const stage = { placementId: 'p1', manifest: world.model.manifestSha256, range: { first: 0, end: LAYERS } }
  t.match(coordinator.adverts.at(-1)?.stages, [stage])
  const control = await world.of(coordinator.openSession('p1', world.peerId))
  await world.until('the session is open', () => control.said.length > 0)
  void control.send(prompt())
  await world.until('the answer is whole', () => sampled(control).length === TOKENS)
  t.same(sampled(control), answerOf(world.model.manifest, PROMPT, TOKENS, new Set()))
})

t.test('an assignment that is repeated is answered and not loaded again', async t => {
  const { world, coordinator } = await serving()
  coordinator.updates.length = 0
  await serve(world, coordinator, 'p1')
  t.same(coordinator.states('p1'), ['ready'])
  await serve(world, coordinator, 'p2')
  t.same(coordinator.states('p2'), ['ready'], 'the same layers of another placement share the stage')
})

t.test('what it cannot serve is failed with the reason, and costs nothing', async t => {
  const world = await NodeWorld.open({ memoryBytes: 3 * MIB })
  const coordinator = await world.joined()
  coordinator.assign('large')
  coordinator.assign('far', { range: { first: 1, end: LAYERS + 1 } })
  coordinator.assign('unknown', { manifestSha256: 'f'.repeat(64) })
  const failed = (): (string | undefined)[] =>
    ['large', 'far', 'unknown'].map(placement => coordinator.last(placement)?.error?.code)
  await world.until('all have failed', () => !failed().includes(undefined))
  t.same(failed(), ['insufficient_memory', 'invalid_request', 'blob_not_found'])
  t.equal(world.stages.memoryFreeBytes, 3 * MIB)
  coordinator.assign('small', { range: { first: 0, end: 1 } })
  await world.until('a smaller one is ready', () => coordinator.last('small')?.state === 'ready')
})

t.test('more stages than it may serve are refused', async t => {
  const world = await NodeWorld.open()
  const coordinator = await world.joined()
  for (const length of [256, 512, 768, 1024]) coordinator.assign(`p${length}`, { contextLength: length })
  await world.until('the last is answered', () => coordinator.last('p1024')?.state === 'failed')
  t.match(coordinator.last('p1024')?.error, { code: 'resource_exhausted' })
  await world.until('the others are ready', () => coordinator.last('p768')?.state === 'ready')
})

t.test('a stage that is released ends its sessions with the reason and gives back its memory', async t => {
  const { world, coordinator } = await serving()
  const control = await world.of(coordinator.openSession('p1', world.peerId))
  await world.until('the session is open', () => control.said.length > 0)
  coordinator.release('p1', 'moved elsewhere')
  await world.until('the session has ended', () => control.ended)
  t.match(control.said.at(-1), { type: 'fault', error: { code: 'unavailable', message: 'moved elsewhere' } })
  await world.until('its memory is free', () => world.stages.memoryFreeBytes === 64 * MIB)
  await world.until('its advert lists no stage', () => coordinator.adverts.at(-1)?.stages.length === 0)
  const late = await world.of(coordinator.openSession('p1', world.peerId))
  await world.until('the next session is refused', () => late.ended)
  t.match(late.said, [{ type: 'fault', error: { code: 'session_forbidden' } }])
})

t.test('an assignment that is released while it loads is not served', async t => {
  const world = await NodeWorld.open({ positionLayerMs: 1000 })
  const coordinator = await world.joined()
  coordinator.assign('p1')
  await world.until('it is tested', () => coordinator.last('p1')?.state === 'testing')
  coordinator.release('p1', 'moved elsewhere')
  await world.until('it is released', () => coordinator.last('p1')?.state === 'released', HOUR_MS)
  t.equal(world.stages.memoryFreeBytes, 64 * MIB)
  t.same(world.stages.served(), [])
})

t.test('nobody but the coordinator of a placement may use or release it', async t => {
  const { world, coordinator } = await serving({ join: [2, 3] })
  const other = await world.joined(3)
  const stranger = await world.stranger()
  const addresses = world.network.at('/ip4/10.0.0.1/tcp/4701')?.multiaddrs() ?? []
  const refusedTo = async (peer: ScriptedCoordinator): Promise<ControlStream> => {
    const control = await world.of(peer.openSession('p1', world.peerId, {}, addresses))
    await world.until('it is refused', () => control.ended)
    return control
  }
  t.match((await refusedTo(other)).said, [{ error: { code: 'session_forbidden' } }], 'another coordinator')
  t.match((await refusedTo(stranger)).said, [{ error: { code: 'session_forbidden' } }], 'a stranger')
  other.release('p1', 'mine')
  await world.pass(1000)
  t.equal(world.stages.served().length, 1)
  other.assign('p1')
  await world.until('it is refused', () => other.last('p1')?.state === 'failed')
  t.match(other.last('p1')?.error, { code: 'peer_refused' })
  t.equal(coordinator.last('p1')?.state, 'ready')
  await serve(world, other, 'p2')
  other.release('p2', 'over')
  await world.pass(1000)
  t.match(world.stages.served(), [{ placementId: 'p1' }], 'each has its own')
})

t.test('a coordinator that is lost is joined again, and its stages are still there', async t => {
  const { world, coordinator } = await serving()
  world.network.drop(world.peerId, coordinator.host.peerId)
  await world.until('it is a member again', () => coordinator.hellos === 2 && coordinator.joined)
  t.match(coordinator.adverts.at(-1)?.stages, [{ placementId: 'p1' }], 'the hello says so')
  coordinator.updates.length = 0
  await serve(world, coordinator, 'p1')
  t.same(coordinator.states('p1'), ['ready'], 'nothing is loaded again')
  await world.pass(HOUR_MS)
  t.equal(world.stages.served().length, 1)
  t.same(coordinator.refusedAdverts, [])
})

t.test('stages that a coordinator does not ask for again are released after a while', async t => {
  const { world, coordinator } = await serving()
  await serve(world, coordinator, 'p2')
  world.network.drop(world.peerId, coordinator.host.peerId)
  await world.until('it is a member again', () => coordinator.hellos === 2 && coordinator.joined)
  await serve(world, coordinator, 'p2')
  await world.pass(50_000)
  t.equal(world.stages.served().length, 2)
  await world.until('the other is released', () => world.stages.served().length === 1)
  t.match(world.stages.served(), [{ placementId: 'p2' }])
})

t.test('stages of a coordinator that stays away are released, and it is looked for still', async t => {
  const { world, coordinator } = await serving()
  world.network.cut(world.peerId, coordinator.host.peerId)
  await world.until('they are released', () => world.stages.memoryFreeBytes === 64 * MIB, 2 * HOUR_MS)
  t.same(world.stages.served(), [])
  world.network.heal(world.peerId, coordinator.host.peerId)
  await world.until('it is a member again', () => coordinator.joined, HOUR_MS)
})

t.test('a coordinator that leaves heartbeats unanswered is given up and joined again', async t => {
  const { world, coordinator } = await serving()
  coordinator.answers = false
  await world.until('it says hello again', () => coordinator.hellos === 2)
  t.ok(coordinator.beats >= MISSES_MAX)
  t.equal(world.stages.served().length, 1)
})

t.test('one that takes a hello and does not answer keeps no stream, and cannot welcome it later', async t => {
  const world = await NodeWorld.open()
  const coordinator = await world.coordinator()
  const streams: ByteStream[] = []
  await coordinator.host.handle(MEMBERSHIP_PROTOCOL, stream => void streams.push(stream), { inboundStreamsMax: 4 })
  await world.until('it says hello again', () => streams.length > 2)
  t.same(
    streams.slice(0, 2).map(({ status }) => status),
    ['reset', 'reset']
  )
})

t.test('one that welcomes and drops it again and again does not keep it busy', async t => {
  const world = await NodeWorld.open()
  const coordinator = await world.joined()
  const before = coordinator.hellos
  for (let second = 0; second < 600; second++) {
    coordinator.cut()
    await world.pass(100)
  }
  t.ok(coordinator.hellos - before <= 60_000 / 250, `${coordinator.hellos - before} hellos in a minute`)
})

t.test('a node that stops ends its sessions, says goodbye and leaves nothing behind', async t => {
  const { world, coordinator } = await serving({ positionLayerMs: 100 })
  const control = await world.of(coordinator.openSession('p1', world.peerId))
  await world.until('the session is open', () => control.said.length > 0)
  void control.send(prompt())
  await world.until('it is at work', () => sampled(control).length > 0)
  await world.of(world.agent.close())
  await world.until('the session has ended', () => control.ended)
  t.match(control.said.at(-1), { type: 'fault', error: { code: 'unavailable', message: 'the node is shutting down' } })
  t.same(coordinator.goodbyes, ['the node is shutting down'])
  t.equal(coordinator.joined, false)
  t.equal(world.stages.memoryFreeBytes, 64 * MIB)
  // what is still under way arrives
  await world.pass(HOUR_MS)
  const { steps } = world
  await world.pass(24 * HOUR_MS)
  t.equal(world.steps, steps, 'no timer is left')
})

t.test('a node stops while a coordinator refuses it, and while there is none', async t => {
  const refused = await NodeWorld.open()
  const coordinator = await refused.coordinator()
  coordinator.refusal = new MeshError('peer_refused', 'this node may not join')
  await refused.until('it was refused', () => coordinator.hellos > 0)
  await refused.of(refused.agent.close())
  t.equal(coordinator.joined, false)
  const alone = await NodeWorld.open()
  await alone.pass(1000)
  await alone.of(alone.agent.close())
})

t.test('a coordinator that hears nothing does not keep a node from stopping', async t => {
  const { world, coordinator } = await serving()
  world.network.stall(world.peerId, coordinator.host.peerId)
  await world.of(world.agent.close(), 10_000)
  t.same(coordinator.goodbyes, [])
})

t.test('a node that is about to leave does so at its deadline, whatever its coordinators do', async t => {
  const { world, coordinator } = await serving()
  const spent = async (deadlineMs: number): Promise<number> => {
    const beganMs = world.machine.monotonic()
    const outcome = await world.of(world.agent.drain({ deadlineMs }))
    t.match(outcome, { drained: false, placements: 1 })
    return world.machine.monotonic() - beganMs
  }
  const { advertiser } = world
  const seal = advertiser.seal.bind(advertiser)
  advertiser.seal = () => new Promise(() => {})
  t.equal(await spent(700), 700, 'it cannot be told')
  advertiser.seal = seal
  t.equal(await spent(0), 0, 'no time is given')
  t.equal(await spent(1234), 1234, 'it hears it and releases nothing')
  coordinator.answers = false
  t.equal(await spent(700), 700, 'nor says a word')
  await world.of(world.agent.close(), 10_000)
})

t.test('neither membership nor session notices that the wall clock jumps', async t => {
  const { world, coordinator } = await serving({ positionLayerMs: 100 })
  const control = await world.of(coordinator.openSession('p1', world.peerId))
  await world.until('the session is open', () => control.said.length > 0)
  void control.send(prompt())
  for (const jumpMs of [HOUR_MS, -2 * HOUR_MS, HOUR_MS]) {
    world.machine.jumpClock(jumpMs)
    await world.pass(2000)
  }
  await world.until('the answer is whole', () => sampled(control).length === TOKENS)
  t.same(sampled(control), answerOf(world.model.manifest, PROMPT, TOKENS, new Set()))
  t.equal(coordinator.hellos, 1)
  await world.pass(60_000)
  const sequences = coordinator.adverts.map(({ sequence }) => sequence)
  t.same(
    sequences,
    [...new Set(sequences)].toSorted((a, b) => a - b),
    'numbers of adverts only grow'
  )
})

t.test('blobs are for members that a coordinator names, and for coordinators', async t => {
  const world = await NodeWorld.open()
  const coordinator = await world.joined()
  const stranger = await world.stranger()
  const addresses = world.network.at('/ip4/10.0.0.1/tcp/4701')?.multiaddrs() ?? []
  t.match(await world.of(stranger.askForBlob('a'.repeat(64), world.peerId, addresses)), /peer_refused/)
  coordinator.members = [world.peerId, stranger.host.peerId]
  await world.pass(2 * HEARTBEAT_MS)
  t.match(await world.of(stranger.askForBlob('a'.repeat(64), world.peerId, addresses)), /blob_not_found/)
  t.match(await world.of(coordinator.askForBlob('a'.repeat(64), world.peerId)), /blob_not_found/)
})
