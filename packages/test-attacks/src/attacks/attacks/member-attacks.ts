import { MeshError } from '@resultity/interface'
import { Attacker } from '../peers/attacker.ts'
import { CLOSED, MEMBERSHIP } from '../peers/conversation.ts'
import { Member, updateOf } from '../peers/member.ts'
import { advertOf, sealed, sealedAnyway } from '../peers/own-advert.ts'
import { type Attack, type AttackContext, type AttackGround, runningAttack, tried } from './attack.ts'

/** More than a member may say at once. */
const FLOOD = 3_000
const ADVERT_FLOOD = 64

const NOTHING = 'nothing came of it'

export const joins: Attack = {
  name: 'joins without an invite, and words before a Hello',
  refusals: ['peer_refused', 'rate_limited', 'protocol_violation', CLOSED],
  must: ['peer_refused', 'rate_limited', 'protocol_violation'],
  pauseMs: 2_000,
  async begin({ ground, random, nextIp }) {
    const stranger = await Attacker.start({ ip: nextIp(), random })
    const early = await Attacker.start({ ip: nextIp(), random })
    return runningAttack([stranger, early], async () => {
      const advert = await sealed(stranger)
      const hello = { frames: [{ type: 'hello' as const, advert }] }
      const seen = [
        await early.tell(ground.coordinator, MEMBERSHIP, { frames: [{ type: 'heartbeat', sequence: 1, advert }] }),
        await early.tell(ground.coordinator, MEMBERSHIP, { frames: [updateOf(ground.placementId)] })
      ]
      for (let count = 0; count < 24; count++) seen.push(await stranger.tell(ground.coordinator, MEMBERSHIP, hello))
      return seen
    })
  }
}

export const greeters: Attack = {
  name: 'memberships that do not say Hello',
  refusals: ['deadline_exceeded', CLOSED],
  must: [CLOSED],
  pauseMs: 250,
  async begin({ ground, random, nextIp }) {
    const peers = await Promise.all(Array.from({ length: 6 }, () => Attacker.start({ ip: nextIp(), random })))
    return runningAttack(peers, () =>
      Promise.all(peers.flatMap(peer => Array.from({ length: 8 }, () => peer.tell(ground.coordinator, MEMBERSHIP))))
    )
  }
}

export const invites: Attack = {
  name: 'invites that are forged, changed, old, revoked, used up',
  refusals: ['invite_invalid', 'invite_foreign', 'invite_expired', 'invite_revoked', 'invite_used_up', CLOSED],
  must: ['invite_invalid', 'invite_foreign', 'invite_expired', 'invite_revoked', 'invite_used_up'],
  pauseMs: 8_000,
  async begin({ ground, random, nextIp }) {
    const stranger = await Attacker.start({ ip: nextIp(), random })
    return runningAttack([stranger], async () => {
      const seen: string[] = []
      for (const { token, code } of ground.badInvites) {
        const hello = { type: 'hello' as const, advert: await sealed(stranger), invite: token }
        const said = await stranger.tell(ground.coordinator, MEMBERSHIP, { frames: [hello] })
        seen.push(said === code || said === CLOSED ? said : `${said}, not ${code}`)
      }
      return seen
    })
  }
}

export const adverts: Attack = {
  name: 'adverts that are expired, of others, replayed, with NaN, escapes, addresses of the link',
  refusals: ['protocol_violation', NOTHING, CLOSED],
  must: ['protocol_violation', NOTHING],
  pauseMs: 10_000,
  async begin(context) {
    const { ground, random, nextIp } = context
    const ip = nextIp()
    const [liar, other] = [await Attacker.start({ ip, random }), await Attacker.start({ ip, random })]
    const { coordinator, invite } = ground
    const hello = (advert: Uint8Array): Promise<string> =>
      liar.tell(coordinator, MEMBERSHIP, { frames: [{ type: 'hello', advert, invite }] })
    return runningAttack([liar, other], async () => {
      const now = Date.now()
      const text = JSON.stringify(advertOf(liar))
      const said = [
        await hello(await sealed(liar, { issuedAtMs: now - 900_000, expiresAtMs: now - 600_000 })),
        await hello(await sealed(liar, { issuedAtMs: now + 600_000, expiresAtMs: now + 900_000 })),
        await hello(await sealed(other)),
        await hello(await sealedAnyway(liar, text.replace('"probeMsPer100M":1', '"probeMsPer100M":NaN'))),
        await hello(await sealedAnyway(liar, text.replace('"probeMsPer100M":1', '"probeMsPer100M":-1e999'))),
        await hello(await sealedAnyway(liar, text.replace('"cpuModel":"none"', '"cpuModel":"\\u001b[2Jnone"'))),
        await replayed(liar, context)
      ]
      return [...said, await linkAddresses(liar, ground)]
    })
  }
}

export const floods: Attack = {
  name: 'a member floods with heartbeats and adverts, and speaks for others',
  refusals: ['rate_limited', NOTHING, CLOSED],
  must: ['rate_limited', NOTHING],
  pauseMs: 5_000,
  async begin({ ground, random, nextIp }) {
    const flooder = await Attacker.start({ ip: nextIp(), random })
    const join = async (): Promise<Member> =>
      await Member.join(flooder, ground.coordinator, { invite: ground.invite, advert: await sealed(flooder) })
    return runningAttack([flooder], async () => {
      const beats = await tried(async () => {
        await using member = await join()
        for (let sequence = 1; sequence <= FLOOD; sequence++) {
          member.say({ type: 'heartbeat', sequence, advert: undefined })
        }
        return await member.ended
      })
      const advertised = await tried(async () => {
        await using member = await join()
        for (let sequence = 1; sequence <= ADVERT_FLOOD; sequence++) {
          const advert = await sealed(flooder, { sequence: Date.now() + sequence })
          member.say({ type: 'heartbeat', sequence, advert })
        }
        return await member.ended
      })
      return [beats, advertised, await tried(async () => await foreignUpdates(await join(), ground))]
    })
  }
}

/** An advert that came before, signed by the member itself. */
async function replayed(liar: Attacker, { ground }: AttackContext): Promise<string> {
  return tried(async () => {
    const advert = await sealed(liar)
    await using member = await Member.join(liar, ground.coordinator, { invite: ground.invite, advert })
    member.say({ type: 'heartbeat', sequence: 1, advert })
    return await member.ended
  })
}

/** Addresses of the link and of metadata services are not handed on. */
async function linkAddresses(liar: Attacker, ground: AttackGround): Promise<string> {
  return tried(async () => {
    const multiaddrs = ['/ip4/169.254.169.254/tcp/80', '/ip6/fe80::1/tcp/80', '/ip4/100.100.100.200/tcp/80']
    const advert = await sealed(liar, { multiaddrs })
    await using _member = await Member.join(liar, ground.coordinator, { invite: ground.invite, advert })
    const { data }: { data: { peerId: string; multiaddrs: string[] }[] } = await read(ground, '/v1/mesh/nodes')
    const kept = data.find(({ peerId }) => peerId === liar.peerId)?.multiaddrs ?? []
    return kept.length === 0 ? NOTHING : `kept ${kept[0]}`
  })
}

/** A member says of a placement in which it has no part that it failed there. */
async function foreignUpdates(member: Member, ground: AttackGround): Promise<string> {
  await using _member = member
  const error = new MeshError('engine_failed', 'it is broken')
  for (const state of ['failed', 'released', 'ready'] as const) {
    member.say(updateOf(ground.placementId, state, error))
  }
  await member.heard(1)
  const { data }: { data: { id: string; state: string }[] } = await read(ground, '/v1/mesh/placements')
  const state = data.find(({ id }) => id === ground.placementId)?.state
  return state === 'ready' ? NOTHING : `the placement is ${state}`
}

async function read<T>({ apiUrl }: AttackGround, path: string): Promise<T> {
  return await (await fetch(`${apiUrl}${path}`)).json()
}
