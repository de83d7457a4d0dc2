import { GREEDY } from '@resultity/interface'
import { type JobRequest, MEMBERSHIP_PROTOCOL, type OpenSession, type StageFrame } from '@resultity/wire'
import { Attacker } from '../peers/attacker.ts'
import { CLOSED, JOB, MEMBERSHIP, STAGE } from '../peers/conversation.ts'
import { Trap } from '../peers/trap.ts'
import { type Attack, type AttackGround, reachable, runningAttack } from './attack.ts'

/** What an attacker sees where a daemon did what it was told. */
const FOLLOWED = 'it was joined'
const DIALLED = 'it was dialled'

export const impostor: Attack = {
  name: 'one that calls itself a coordinator gives orders',
  refusals: ['session_forbidden', 'peer_refused', 'protocol_version', CLOSED],
  must: ['session_forbidden', 'peer_refused', 'protocol_version'],
  pauseMs: 500,
  async begin({ ground, random, nextIp }) {
    const trap = await Trap.open()
    const announce = [trap.multiaddr]
    const impostor = await Attacker.start({ ip: nextIp(), random, agent: 'resultity-coordinator/9.9.9', announce })
    let joined = 0
    await impostor.host.handle(
      MEMBERSHIP_PROTOCOL,
      stream => {
        joined++
        stream.abort(new Error('not for real'))
      },
      { inboundStreamsMax: 8 }
    )
    return runningAttack([trap, impostor], async () => {
      const [before, dialled] = [joined, trap.dialled]
      const node = random.pick(reachable(ground))
      const next = { peerId: random.pick(ground.nodes).peerId, multiaddrs: [trap.multiaddr] }
      const seen = [
        await impostor.tell(node, STAGE, { frames: [openSession(random.bytes(16), ground, next)] }),
        await impostor.tell(node, JOB, { frames: [job(ground)] }),
        // a node is no coordinator, and takes no orders over a stream that it did not open
        await impostor.tell(node, MEMBERSHIP, { frames: [{ type: 'goodbye', reason: 'a word' }] })
      ]
      if (joined > before) seen.push(FOLLOWED)
      if (trap.dialled > dialled) seen.push(DIALLED)
      return seen
    })
  }
}

export const strangeFrames: Attack = {
  name: 'frames of a stranger, without a session or for one of others',
  refusals: ['protocol_violation', 'session_unknown', 'session_forbidden', 'resource_exhausted', CLOSED],
  must: ['protocol_violation', 'session_unknown', 'session_forbidden', 'resource_exhausted'],
  pauseMs: 1_000,
  async begin({ ground, random, nextIp }) {
    const stranger = await Attacker.start({ ip: nextIp(), random })
    return runningAttack([stranger], () => {
      const node = random.pick(reachable(ground))
      const { placementId } = ground
      const session = random.bytes(16)
      const first: StageFrame[] = [
        { type: 'activations', session, epoch: 1, position: 0, count: 1, hidden: new Uint8Array(512) },
        { type: 'next', session, epoch: 1, position: 4, token: 0xffff_ffff },
        { type: 'prompt', session, epoch: 1, tokens: [1, 2, 3] },
        { type: 'probe', session, epoch: 1, nonce: 1 },
        { type: 'close', session, reason: 'a word' },
        { type: 'try_hop', placementId },
        { type: 'try_hop', placementId: 'made-up' },
        // hops of a stranger that wait for their session: eight of them may
        ...Array.from({ length: 12 }, (): StageFrame => ({ type: 'join', session: random.bytes(16), epoch: 1 }))
      ]
      return Promise.all(first.map(frame => stranger.tell(node, STAGE, { frames: [frame] })))
    })
  }
}

/** Orders of a session that the sender may not open. */
export function openSession(
  session: Uint8Array,
  { placementId }: AttackGround,
  next: OpenSession['next']
): OpenSession {
  return {
    type: 'open',
    session,
    epoch: 1,
    placementId,
    range: { first: 0, end: 4 },
    next,
    previousPeer: '',
    promptCount: 4,
    tokensMax: 4,
    prefillChunk: 64,
    endTokens: [],
    sampling: GREEDY,
    leaseMs: 60_000,
    logprobs: false,
    topLogprobs: 0
  }
}

function job({ manifestSha256 }: AttackGround): JobRequest {
  return {
    jobId: 'made-up',
    attempt: 1,
    endpoint: '/v1/embeddings',
    model: 'tiny-chat',
    manifestSha256,
    body: Buffer.from('{}'),
    deadlineMs: 60_000
  }
}
