import { MeshError, type Scheduler, withDeadline } from '@resultity/interface'
import type { MeshHost } from '@resultity/mesh'
import {
  FIRST_FRAME_BYTES_MAX,
  FrameStream,
  type Hop,
  STAGE_FRAME_BYTES_MAX,
  STAGE_PROTOCOL,
  stageCodec
} from '@resultity/wire'
import type { LinkedSession } from './linked-session.ts'
import { loseHop } from './neighbour-fault.ts'
import { reachablePeer } from './peer-addresses.ts'
import type { StageStream } from './stage-stream.ts'

export interface NextHopsComponents {
  readonly host: Pick<MeshHost, 'open' | 'remoteAddrOf'>
  readonly scheduler: Scheduler
  /** Dialling and greeting the next stage. */
  readonly hopTimeoutMs: number
}

/** Makes the hops of sessions to their next stages. */
export class NextHops {
  readonly #components: NextHopsComponents

  constructor(components: NextHopsComponents) {
    this.#components = components
  }

  /**
   * Connects a session with its next stage, if its route has one.
   *
   * @param signal aborts when the coordinator's stream ends
   * @throws MeshError `peer_unreachable`, `deadline_exceeded`; the signal's reason
   */
  async connect(session: LinkedSession, coordinator: string, signal: AbortSignal): Promise<void> {
    const { next } = session.open
    if (next === undefined) return
    session.dialNext()
    try {
      session.connectNext(await this.#dial(session, next, coordinator, signal))
    } catch (error) {
      const { code } = MeshError.from(error)
      if (code === 'peer_unreachable' || code === 'deadline_exceeded') {
        session.hopBroke(next.peerId)
        session.lose(MeshError.from(error))
      }
      throw error
    }
  }

  #dial(session: LinkedSession, next: Hop, coordinator: string, gone: AbortSignal): Promise<StageStream> {
    const { host, scheduler, hopTimeoutMs } = this.#components
    const connect = async (signal: AbortSignal): Promise<StageStream> => {
      const peer = await reachablePeer(host, next, coordinator)
      const stream = await host.open(peer, STAGE_PROTOCOL, { signal })
      const frames: StageStream = new FrameStream(
        stream,
        stageCodec,
        {
          onFrame: frame => session.fromNext(frame),
          onEnd: error => {
            // whoever gave up connecting reports why
            if (!signal.aborted) loseHop(session, 'next', next.peerId, error)
          }
        },
        { frameBytesMax: STAGE_FRAME_BYTES_MAX, receivedBytesMax: FIRST_FRAME_BYTES_MAX, scheduler }
      )
      using _ended = frames.abortOn(signal)
      try {
        await frames.send({ type: 'join', session: session.open.session, epoch: session.open.epoch }, { signal })
      } catch (error) {
        frames.abort(MeshError.from(error))
        throw error
      }
      return frames
    }
    const what = `connecting to the next stage at ${next.peerId}`
    return withDeadline(what, hopTimeoutMs, connect, { signal: gone, scheduler })
  }
}
