import { MeshError, type Scheduler, withDeadline } from '@resultity/interface'
import type { MeshHost } from '@resultity/mesh'
import {
  FIRST_FRAME_BYTES_MAX,
  FrameStream,
  type NextStage,
  STAGE_PROTOCOL,
  type StageFrame,
  stageCodec
} from '@resultity/wire'
import { reachablePeer } from './peer-addresses.ts'

export interface HopTrialsComponents {
  readonly host: Pick<MeshHost, 'open' | 'remoteAddrOf'>
  readonly scheduler: Scheduler
}

export interface HopTrialsInit {
  /** Time to dial the next stage and to hear its answer. */
  readonly hopTimeoutMs: number
}

/** A hop that a placement's sessions will need. */
export interface HopTrial {
  readonly placementId: string
  readonly next: NextStage
  /** Peer id of the coordinator that assigned the placement. */
  readonly coordinator: string
}

/** How many tries in a row fail before the next stage is reported as not reached. */
const TRIES = 2

/** The wait between two tries grows each time. */
const RETRY_MS_MIN = 250
const RETRY_MS_MAX = 10_000
const RETRY_FACTOR = 2

/** The wait before a next stage is asked again that has no assignment yet. */
const ASSIGNED_LATER_MS = 100

/** Finds out whether the sessions of a placement will reach its next stage, before the first session needs that hop. */
export class HopTrials {
  readonly #components: HopTrialsComponents
  readonly #init: HopTrialsInit

  constructor(components: HopTrialsComponents, init: HopTrialsInit) {
    this.#components = components
    this.#init = init
  }

  /**
   * Tries until the next stage has answered that it takes hops of this one.
   *
   * @param onUnreached hears why the next stage was not reached: after some tries, and then after each
   * @throws the signal's reason
   */
  async untilReached(trial: HopTrial, onUnreached: (why: MeshError) => void, signal: AbortSignal): Promise<void> {
    const { scheduler } = this.#components
    for (let failed = 0; ; ) {
      let waitMs = ASSIGNED_LATER_MS
      try {
        await this.#try(trial, signal)
        return
      } catch (error) {
        signal.throwIfAborted()
        const why = MeshError.from(error)
        // the next stage was reached; it has no assignment yet
        if (why.code !== 'session_unknown') {
          waitMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * RETRY_FACTOR ** failed)
          if (++failed >= TRIES) onUnreached(why)
        }
      }
      await scheduler.sleep(waitMs, { signal })
    }
  }

  #try({ placementId, next, coordinator }: HopTrial, signal: AbortSignal): Promise<void> {
    const { host, scheduler } = this.#components
    const ask = async (signal: AbortSignal): Promise<void> => {
      const peer = await reachablePeer(host, next, coordinator)
      const answered = Promise.withResolvers<void>()
      // the stream may end before anybody waits for the answer
      answered.promise.catch(() => undefined)
      const frames = new FrameStream<StageFrame, StageFrame>(
        await host.open(peer, STAGE_PROTOCOL, { signal }),
        stageCodec,
        {
          onFrame: frame => {
            if (frame.type === 'fault') answered.reject(frame.error)
            else if (frame.type === 'hop_tried' && frame.placementId === placementId) answered.resolve()
            else throw new MeshError('protocol_violation', `a next stage answers a trial with no ${frame.type}`)
          },
          onEnd: error => answered.reject(error ?? new MeshError('peer_unreachable', 'the next stage did not answer'))
        },
        { frameBytesMax: FIRST_FRAME_BYTES_MAX, scheduler }
      )
      using _ended = frames.abortOn(signal)
      try {
        await frames.send({ type: 'try_hop', placementId }, { signal })
        await answered.promise
      } finally {
        frames.abort(new MeshError('canceled', 'the trial is over'))
      }
    }
    const what = `reaching the next stage at ${next.peerId}`
    return withDeadline(what, this.#init.hopTimeoutMs, ask, { signal, scheduler })
  }
}
