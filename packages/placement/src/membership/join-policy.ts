import { MeshError } from '@resultity/interface'
import type { SeenPeer } from '@resultity/mesh'
import { TokenBucket } from './token-bucket.ts'

/** Which nodes may join. */
export interface JoinPolicy {
  /** Any peer that reaches the coordinator may join. */
  readonly open: boolean
  /** Nodes of this machine may. Default true. Behind a proxy or a tunnel all seem to be of this machine. */
  readonly local?: boolean
  /** Peer ids. */
  readonly allowed: ReadonlySet<string>
  readonly invites?: InvitedPeers
}

/** Who may join by an invite. */
export interface InvitedPeers {
  /** @throws MeshError `invite_…` for an invite that is not good */
  admits(peerId: string, invite: string | undefined): Promise<boolean>
  /** Which of these nodes came by an invite and were not removed since. */
  invitedAmong(peerIds: readonly string[]): Promise<ReadonlySet<string>>
}

/**
 * The reason why a peer may not join; undefined when it may. A peer that joins is given layers, and so reads prompts
 * and shapes answers.
 */
export function joinRefusal(
  { open, local = true, allowed }: JoinPolicy,
  peerId: string,
  { scope, ip }: SeenPeer
): MeshError | undefined {
  const here = scope === 'this_machine'
  if (open || (here && local) || allowed.has(peerId)) return undefined
  const from = here ? 'without an invite' : 'from another machine'
  return new MeshError('peer_refused', `this coordinator takes no node ${peerId} ${from}`, {
    hint:
      'Make an invite with "resultity invite" on the coordinator’s machine and give it to the node with --join, or ' +
      `start the coordinator with --allow-node ${peerId}, or with --open-join to let every node join that reaches it.`,
    details: { peerId, ip }
  })
}

/** Joins of one peer that may follow each other closely, and in the long run. */
const JOINS_BURST = 20
const JOINS_PER_SECOND = 1
/** Peers whose joins are counted; a peer that is forgotten is counted from 0 again. */
const PEERS_MAX = 1024

/** Counts how often each peer tries to join. */
export class JoinRate {
  readonly #buckets = new Map<string, TokenBucket>()

  /** @throws MeshError `rate_limited` */
  admit(peerId: string, nowMs: number): void {
    const bucket = this.#buckets.get(peerId) ?? new TokenBucket(JOINS_BURST, JOINS_PER_SECOND, nowMs)
    this.#buckets.delete(peerId)
    this.#buckets.set(peerId, bucket)
    const [oldest] = this.#buckets.keys()
    if (this.#buckets.size > PEERS_MAX && oldest !== undefined) this.#buckets.delete(oldest)
    if (bucket.take(nowMs)) return
    throw new MeshError('rate_limited', `${peerId} joins too often`, {
      hint: 'Wait some seconds before it joins again.'
    })
  }
}

/** Lines about strangers in one minute. */
const LINES_PER_MINUTE = 20

/** Decides which refusals are worth a line in the log: each peer's first, and not too many of them. */
export class RefusalNotes {
  readonly #told = new Set<string>()
  readonly #lines: TokenBucket

  constructor(nowMs: number) {
    this.#lines = new TokenBucket(LINES_PER_MINUTE, LINES_PER_MINUTE / 60, nowMs)
  }

  /** Whether to write about this peer now. */
  isNew(peerId: string, nowMs: number): boolean {
    if (this.#told.has(peerId) || !this.#lines.take(nowMs)) return false
    const [oldest] = this.#told
    if (this.#told.size >= PEERS_MAX && oldest !== undefined) this.#told.delete(oldest)
    this.#told.add(peerId)
    return true
  }
}
