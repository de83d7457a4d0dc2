import { MeshError, type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import { type JoinHop, sessionKey } from '@resultity/wire'
import type { LinkedSession } from './linked-session.ts'

export interface PendingJoinsInit {
  readonly timeoutMs: number
  readonly pendingMax: number
  /** Of these, the hops of one peer. */
  readonly pendingPerPeerMax: (peerId: string) => number
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

interface PendingJoin {
  readonly join: JoinHop
  readonly remotePeer: string
  readonly resolve: (session: LinkedSession) => void
  readonly reject: (error: MeshError) => void
  readonly timer: Timer
}

/**
 * Hops that greet a stage before the coordinator has opened the session there. All stages are opened at once, so either
 * may come first. A hop must come from the peer that the coordinator named as the previous stage.
 */
export class PendingJoins {
  readonly #init: PendingJoinsInit
  readonly #scheduler: Scheduler
  readonly #pending = new Set<PendingJoin>()

  constructor(init: PendingJoinsInit) {
    this.#init = init
    this.#scheduler = init.scheduler ?? systemScheduler
  }

  /**
   * Resolves with the session that `join` belongs to.
   *
   * @throws MeshError `session_forbidden` when the sender is not its previous stage, `session_unknown` when it is not
   * opened in time, `resource_exhausted` when too many hops wait
   */
  wait(join: JoinHop, remotePeer: string, session: LinkedSession | undefined): Promise<LinkedSession> {
    const { promise, resolve, reject } = Promise.withResolvers<LinkedSession>()
    if (session !== undefined && session.open.epoch >= join.epoch) {
      settle({ join, remotePeer, resolve, reject }, session)
      return promise
    }
    if (this.#pending.size >= this.#init.pendingMax) {
      reject(new MeshError('resource_exhausted', `${this.#init.pendingMax} hops wait for their session already`))
      return promise
    }
    const ofPeerMax = this.#init.pendingPerPeerMax(remotePeer)
    const ofPeer = [...this.#pending].filter(pending => pending.remotePeer === remotePeer)
    if (ofPeer.length >= ofPeerMax) {
      reject(new MeshError('resource_exhausted', `${ofPeerMax} hops of ${remotePeer} wait for their session already`))
      return promise
    }
    const timer = this.#scheduler.setTimeout(() => {
      this.#pending.delete(pending)
      reject(new MeshError('session_unknown', `session ${sessionKey(join.session)} was not opened here`))
    }, this.#init.timeoutMs)
    const pending: PendingJoin = { join, remotePeer, resolve, reject, timer }
    this.#pending.add(pending)
    return promise
  }

  /** Called when `session` was opened: hops that wait for it continue. */
  arrived(session: LinkedSession): void {
    const key = sessionKey(session.open.session)
    for (const pending of this.#pending) {
      if (sessionKey(pending.join.session) !== key || pending.join.epoch > session.open.epoch) continue
      this.#pending.delete(pending)
      this.#scheduler.clear(pending.timer)
      settle(pending, session)
    }
  }

  close(): void {
    for (const { timer, reject } of this.#pending) {
      this.#scheduler.clear(timer)
      reject(new MeshError('unavailable', 'the node is shutting down'))
    }
    this.#pending.clear()
  }
}

function settle({ join, remotePeer, resolve, reject }: Omit<PendingJoin, 'timer'>, session: LinkedSession): void {
  if (session.open.previousPeer !== remotePeer) {
    reject(new MeshError('session_forbidden', `${remotePeer} has no part in session ${sessionKey(join.session)}`))
  } else if (session.open.epoch !== join.epoch) {
    reject(new MeshError('session_unknown', `epoch ${join.epoch} of session ${sessionKey(join.session)} is over`))
  } else {
    resolve(session)
  }
}
