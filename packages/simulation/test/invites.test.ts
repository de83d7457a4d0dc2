import { buildMesh } from '@resultity/coordinator'
import type { Invite } from '@resultity/interface'
import { identityFromSeed, openInvite, sealInvite } from '@resultity/mesh'
import { Advertiser, DEFAULT_NODE_LIMITS, NodeAgent, StageTable } from '@resultity/node'
import { Invites } from '@resultity/placement'
import { InviteStore, MemoryDisk, openDatabase } from '@resultity/store'
import { createMemoryHost, MemoryEngine, SimulatedNetwork, VirtualScheduler } from '@resultity/test-mesh'
import { MEMBERSHIP_PROTOCOL } from '@resultity/wire'
import { pino } from 'pino'
import t from 'tap'
import { HeldBlobs } from '../src/held-blobs.ts'
import { LIMITS } from '../src/simulated-coordinator.ts'

const logger = pino({ level: 'silent' })
const COORDINATOR = '/ip4/10.77.0.1/tcp/4701'

/** A coordinator and whole node agents, each on a machine of its own. */
async function setUp() {
  const scheduler = new VirtualScheduler({ seed: 1 })
  const network = new SimulatedNetwork({ latencyMs: () => 5, deadAfterMs: 49_000 })
  const until = async <T>(work: Promise<T>): Promise<T> => {
    let done = false
    const settled = work.finally(() => {
      done = true
    })
    settled.catch(() => undefined)
    if (!(await scheduler.run(() => done, 60_000))) throw new Error('it takes for ever')
    return settled
  }
  const machine = scheduler.process()
  const privateKey = await identityFromSeed(new Uint8Array(32).fill(1))
  const agent = 'resultity-coordinator/test'
  const host = await createMemoryHost(network, { privateKey, listen: [COORDINATOR], agent, scheduler: machine })
  const database = await until(openDatabase({ disk: new MemoryDisk(), scheduler: machine, latencyMs: () => 1 }))
  const store = new InviteStore(database)
  const parts = {
    store,
    clock: machine,
    scheduler: machine,
    seal: (invite: Invite) => sealInvite(invite, privateKey),
    multiaddrs: () => host.multiaddrs()
  }
  const init = { networkId: await until(store.networkId()), peerId: host.peerId }
  const invites = new Invites({ ...parts, dismiss: (peerId, reason) => mesh.registry.leave(peerId, reason) }, init)
  // those of another coordinator on the same database, to which no node is connected
  const elsewhere = new Invites({ ...parts, dismiss: () => {} }, init)
  const mesh = buildMesh({ host, scheduler: machine, clock: machine, invites }, LIMITS, { logger })
  await host.handle(MEMBERSHIP_PROTOCOL, (stream, peerId, from) => mesh.membership.accept(stream, peerId, from), {
    inboundStreamsMax: 2
  })

  const coordinatorId = host.peerId
  const startNode = async (number: number, token?: string) => {
    const machine = scheduler.process()
    const privateKey = await identityFromSeed(new Uint8Array(32).fill(number))
    const engine = new MemoryEngine({ scheduler: machine, positionLayerMs: () => 1 })
    const stages = new StageTable(
      { engine, scheduler: machine },
      { memoryBytes: 2 ** 30, threads: 1, spinning: false, workDir: '', stagesMax: 1 }
    )
    const listen = [`/ip4/10.77.1.${number}/tcp/4701`]
    const host = await createMemoryHost(network, {
      privateKey,
      listen,
      agent: 'resultity-node/test',
      scheduler: machine
    })
    const hardware = {
      platform: 'linux',
      architecture: 'x64',
      cpuModel: 'simulated',
      cpuCores: 1,
      memoryBytes: 2 ** 30,
      gpus: [],
      executionProviders: ['cpu']
    }
    const said = { labels: {}, hardware, memoryOfferedBytes: 2 ** 30, probeMsPer100M: 1, threads: 1, ttlMs: 30_000 }
    const advertiser = new Advertiser(
      { privateKey, stages, clock: machine, multiaddrs: () => host.multiaddrs() },
      { peerId: host.peerId, agentVersion: 'test', ...said }
    )
    const accepted: string[] = []
    const onInviteAccepted = async (id: string): Promise<void> => void accepted.push(id)
    const store = new HeldBlobs(new Map())
    const node = new NodeAgent(
      { host, store, stages, advertiser, logger, scheduler: machine, onInviteAccepted },
      DEFAULT_NODE_LIMITS
    )
    await node.listen()
    const held = token === undefined ? [] : [[coordinatorId, { token, id: (await openInvite(token)).id }] as const]
    node.joinCoordinators([COORDINATOR], new Map(held))
    return { node, peerId: host.peerId, accepted }
  }
  return { scheduler, until, invites, elsewhere, registry: mesh.registry, startNode }
}

t.test('a node on another machine is taken in by an invite, and the next one that shows it ends', async t => {
  const { scheduler, until, invites, registry, startNode } = await setUp()
  const { token, invite } = await until(invites.create({ label: null, usesMax: 1, ttlMs: 600_000 }))
  const first = await startNode(2, token)
  t.ok(await scheduler.run(() => registry.get(first.peerId) !== undefined, 60_000), 'it is a member')
  await scheduler.run(() => first.accepted.length > 0, 1000)
  t.same(first.accepted, [invite.id], 'and knows that it may come again')

  const second = await startNode(3, token)
  t.match(await until(second.node.refused), { code: 'invite_used_up' })
  t.equal(registry.get(second.peerId), undefined)

  const third = await startNode(4)
  t.notOk(await scheduler.run(() => registry.get(third.peerId) !== undefined, 10_000), 'without one it tries on and on')

  await until(invites.removeNode(first.peerId))
  t.match(await until(first.node.refused), { code: 'invite_used_up' }, 'one that was removed does not come back')
})

t.test('a node that is removed on another coordinator is sent away, and no other', async t => {
  const { scheduler, until, invites, elsewhere, registry, startNode } = await setUp()
  const { token } = await until(invites.create({ label: null, usesMax: null, ttlMs: 600_000 }))
  const [removed, stays] = [await startNode(2, token), await startNode(3, token)]
  const here = (): number => registry.list().length
  t.ok(await scheduler.run(() => here() === 2, 60_000), 'both are members')
  const since = registry.get(stays.peerId)?.joinedAtMs
  await until(elsewhere.removeNode(removed.peerId))
  t.match(await until(removed.node.refused), { code: 'invite_revoked' })
  await scheduler.run(() => false, 60_000)
  t.same(
    registry.list().map(({ peerId, joinedAtMs }) => [peerId, joinedAtMs]),
    [[stays.peerId, since]]
  )
})
