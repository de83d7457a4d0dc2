import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { identityFromSeed, loadIdentity, openInvite, sealInvite } from '@resultity/mesh'
import { type Swarm, startSwarm } from '@resultity/testkit'
import { ApiClient } from '../../hostile/drive/api-client.ts'
import type { AttackGround } from '../attacks/attack.ts'

const NODES = 3
const INVITES = '/v1/admin/invites'
/** For whom it takes: attackers that are members. */
const MANY = 10_000
const LONG_S = 24 * 60 * 60

/** A mesh of processes under attack, and what attackers know of it. */
export interface AttackedMesh {
  readonly swarm: Swarm
  readonly ground: AttackGround
}

/** A mesh in which nobody is trusted for being of this machine: its nodes came by an invite, as strangers would have to. */
export async function startAttackedMesh(): Promise<AttackedMesh> {
  const swarm = await startSwarm({ nodes: 0, stages: NODES, coordinatorArgs: ['--no-local-join'] })
  try {
    const { token } = await makeInvite(new ApiClient(swarm.url, ''), NODES)
    await Promise.all(Array.from({ length: NODES }, () => swarm.addNode({ join: [token] })))
    await swarm.untilNodes(NODES)
    await swarm.untilPlaced(({ state, stages }) => state === 'ready' && stages.length === NODES)
    return { swarm, ground: await groundOf(swarm, token) }
  } catch (error) {
    const { code, message } = MeshError.from(error)
    const logs = swarm.logs()
    await swarm.stop()
    throw new MeshError(code, message, { cause: error, hint: logs })
  }
}

/** @param usedUp the invite by which the nodes came */
async function groundOf({ api, coordinator, nodes, url }: Swarm, usedUp: string): Promise<AttackGround> {
  const client = new ApiClient(url, '')
  const placement = (await api.placements()).find(({ state }) => state === 'ready')
  if (placement === undefined) throw new MeshError('internal', 'the swarm serves no model')
  const { id: placementId, manifestSha256 } = placement
  const [blob = ''] = await readdir(join(coordinator.dataDir, 'blobs'))
  const { token: invite } = await makeInvite(client, MANY)
  const targets = nodes.map(({ name, peerId, multiaddrs }) => ({ name, peerId, multiaddrs }))
  const crowded = targets.at(-1)
  if (crowded === undefined) throw new MeshError('internal', 'the swarm has no nodes')
  return {
    coordinator: { name: 'coordinator', peerId: coordinator.peerId, multiaddrs: coordinator.multiaddrs },
    nodes: targets,
    crowded,
    apiUrl: url,
    placementId,
    manifestSha256: String(manifestSha256),
    blobSha256: blob.replace('sha256-', ''),
    invite,
    badInvites: [...(await badInvites(client, coordinator.dataDir)), { token: usedUp, code: 'invite_used_up' }]
  }
}

/** An invite of each kind that lets nobody in. */
async function badInvites(client: ApiClient, coordinatorData: string): Promise<AttackGround['badInvites']> {
  const ownKey = await loadIdentity(coordinatorData)
  const strangersKey = await identityFromSeed(new Uint8Array(32).fill(7))
  const { token } = await makeInvite(client, 1)
  const good = await openInvite(token)
  const revoked = await makeInvite(client, 1)
  await client.send('POST', `${INVITES}/${revoked.id}/revoke`)
  const middle = Math.floor(token.length / 2)
  const changed = `${token.slice(0, middle)}${token[middle] === 'A' ? 'B' : 'A'}${token.slice(middle + 1)}`
  const expired = { ...good, expiresAtMs: Date.now() - 1 }
  const foreign = { ...good, network: good.network.replace(/./g, digit => (digit === '0' ? '1' : '0')) }
  return [
    { token: 'rinvite_AAAA', code: 'invite_invalid' },
    { token: changed, code: 'invite_invalid' },
    { token: await sealInvite(good, strangersKey), code: 'invite_foreign' },
    { token: await sealInvite(foreign, ownKey), code: 'invite_foreign' },
    { token: await sealInvite(expired, ownKey), code: 'invite_expired' },
    { token: revoked.token, code: 'invite_revoked' }
  ]
}

function makeInvite(client: ApiClient, uses: number): Promise<{ readonly id: string; readonly token: string }> {
  return client.read(INVITES, { uses, expires_in_seconds: LONG_S })
}
