import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMeshHost, loadIdentity, openAdvert, openInvite, sealInvite } from '@resultity/mesh'
import { InviteStore, openDatabase } from '@resultity/store'
import { ManualClock, ScriptedNode } from '@resultity/test-nodes'
import { MEMBERSHIP_PROTOCOL } from '@resultity/wire'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { INVITES_MAX, Invites } from '../src/membership/invites.ts'
import { Membership } from '../src/membership/membership.ts'
import { NodeRegistry } from '../src/membership/node-registry.ts'

const ELSEWHERE = '/ip4/198.51.100.7/tcp/4001'
const MINUTE = 60_000

/** A coordinator that takes invites, to which every node seems to come from another machine. */
async function setUp(t: Test) {
  const dataDir = await mkdtemp(join(tmpdir(), 'resultity-invites-'))
  const privateKey = await loadIdentity(dataDir)
  const host = await createMeshHost({ privateKey, listen: ['/ip4/127.0.0.1/tcp/0'], agent: 'test/0.0.0' })
  const database = await openDatabase({ dataDir })
  const store = new InviteStore(database)
  const clock = { now: () => Date.now() }
  /** That invites are compared with. */
  const wall = new ManualClock()
  const registry = new NodeRegistry(clock, { nodesMax: 8, silenceMaxMs: 600_000 })
  const lines: { peerId?: string; msg: string }[] = []
  const invites = new Invites(
    {
      store,
      clock: wall,
      seal: invite => sealInvite(invite, privateKey),
      multiaddrs: () => host.multiaddrs(),
      dismiss: (peerId, reason) => membership.dismiss(peerId, reason)
    },
    { networkId: await store.networkId(), peerId: host.peerId }
  )
  const membership: Membership = new Membership(
    {
      registry,
      clock,
      steady: clock,
      logger: pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
      openAdvert,
      onAssignment: () => {}
    },
    {
      joins: { open: false, allowed: new Set(), invites },
      helloTimeoutMs: 60_000,
      heartbeatIntervalMs: 600_000,
      heartbeatMissesMax: 3,
      greetersMax: 8
    }
  )
  await host.handle(MEMBERSHIP_PROTOCOL, (stream, peerId) => membership.accept(stream, peerId, ELSEWHERE), {
    inboundStreamsMax: 8
  })
  const nodes: ScriptedNode[] = []
  t.teardown(async () => {
    membership[Symbol.dispose]()
    await host.close()
    await Promise.all(nodes.map(node => node.kill()))
    await database[Symbol.asyncDispose]()
    await rm(dataDir, { recursive: true })
  })
  const address = { peerId: host.peerId, multiaddrs: host.multiaddrs() }
  /** @returns the code that it was refused with, if it was */
  const joins = async (node: ScriptedNode, invite?: string): Promise<string> => {
    const hello = await node.hello()
    await node.join(address, [invite === undefined ? hello : ({ ...hello, invite } as typeof hello)])
    return registry.get(node.peerId) === undefined ? (await node.refused).code : 'joined'
  }
  const start = async (): Promise<ScriptedNode> => {
    const node = await ScriptedNode.start()
    nodes.push(node)
    return node
  }
  return { invites, store, registry, wall, lines, start, joins, privateKey, address }
}

const one = { label: null, usesMax: 1, ttlMs: MINUTE }

t.test('a node of another machine joins by an invite, and again without one', async t => {
  const { invites, registry, start, joins } = await setUp(t)
  const { token, invite } = await invites.create({ ...one, label: 'attic' })
  const node = await start()
  t.equal(await joins(node, token), 'joined')
  registry.leave(node.peerId, 'it restarts')
  t.equal(await joins(node), 'joined', 'it is remembered')
  t.equal(await joins(node, token), 'joined', 'and that takes no use of the invite')
  t.match(await invites.list(), [{ id: invite.id, label: 'attic', uses: 1, usesMax: 1 }])
  t.match(await invites.nodes(), [{ peerId: node.peerId, inviteId: invite.id }])
  t.notMatch(JSON.stringify(await invites.list()), (await openInvite(token)).secret, 'the secret is kept nowhere')
})

t.test('an invite is refused by what is wrong with it, and nobody is remembered', async t => {
  const { invites, store, wall, start, joins, privateKey, lines } = await setUp(t)
  const [node, other] = [await start(), await start()]
  const elsewhere = await setUp(t)
  t.equal(await joins(node), 'peer_refused', 'there is none')
  t.equal(await joins(await start(), 'rinvite_AAAA'), 'invite_invalid')
  const foreign = (await elsewhere.invites.create(one)).token
  t.equal(await joins(await start(), foreign), 'invite_foreign', 'of another network')
  const made = await invites.create(one)
  const copied = await sealInvite({ ...(await openInvite(made.token)), expiresAtMs: 2 ** 50 }, elsewhere.privateKey)
  t.equal(await joins(await start(), copied), 'invite_foreign', 'signed by somebody else')
  const guessed = await sealInvite({ ...(await openInvite(made.token)), secret: 'S'.repeat(43) }, privateKey)
  t.equal(await joins(await start(), guessed), 'invite_revoked', 'its id alone is worth nothing')

  t.equal(await joins(other, made.token), 'joined')
  t.equal(await joins(await start(), made.token), 'invite_used_up')
  const revoked = await invites.create(one)
  await invites.revoke(revoked.invite.id)
  t.equal(await joins(await start(), revoked.token), 'invite_revoked')
  const short = await invites.create(one)
  wall.pass(MINUTE)
  t.equal(await joins(await start(), short.token), 'invite_expired')
  t.same(
    (await store.nodes(10)).map(({ peerId }) => peerId),
    [other.peerId]
  )
  t.equal(lines.filter(({ msg }) => msg.includes('S'.repeat(43))).length, 0)
})

t.test('a node that is removed goes, and needs another invite', async t => {
  const { invites, registry, start, joins } = await setUp(t)
  const node = await start()
  t.equal(await joins(node, (await invites.create(one)).token), 'joined')
  await invites.removeNode(node.peerId)
  t.equal(registry.get(node.peerId), undefined)
  await t.rejects(invites.removeNode(node.peerId), { code: 'not_found' })
  await t.rejects(invites.revoke('0'.repeat(16)), { code: 'not_found' })
  const again = await start()
  t.equal(await joins(again), 'peer_refused')
  const { token } = await invites.create({ ...one, usesMax: 5 })
  const other = await start()
  t.equal(await joins(other, token), 'joined')
  await invites.removeNode(other.peerId)
  await t.rejects(invites.admits(other.peerId, token), { code: 'invite_revoked' }, 'nor by the one that it holds')
  t.equal(await joins(await start(), token), 'invite_revoked', 'and nobody whom it gave it to')
})

t.test('as many nodes as it says may use it', async t => {
  const { invites, start, joins } = await setUp(t)
  const { token } = await invites.create({ ...one, usesMax: 2 })
  const any = await invites.create({ ...one, usesMax: null })
  const nodes = await Promise.all([start(), start(), start()])
  const outcomes = await Promise.all(nodes.map(node => joins(node, token)))
  t.same(outcomes.toSorted(), ['invite_used_up', 'joined', 'joined'])
  for (let count = 0; count < 3; count++) t.equal(await joins(await start(), any.token), 'joined')
})

t.test('there are so many invites at most, and old ones make room', async t => {
  const { invites, store, wall } = await setUp(t)
  const stored = { secretSha256: '5'.repeat(64), coordinator: 'x', label: null, createdAtMs: 0, usesMax: 1 }
  const expiresAtMs = wall.now() + MINUTE
  for (let count = 0; count < INVITES_MAX; count++) {
    await store.add({ ...stored, id: count.toString(16).padStart(16, '0'), expiresAtMs })
  }
  await t.rejects(invites.create(one), { code: 'resource_exhausted' })
  await invites.revoke('0'.repeat(16))
  t.ok((await invites.create(one)).token, 'one that is revoked makes room at once')
  await t.rejects(invites.create(one), { code: 'resource_exhausted' })
  wall.pass(31 * 24 * 60 * MINUTE)
  t.ok((await invites.create(one)).token)
})
