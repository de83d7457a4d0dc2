import { formatRange, MeshError, type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import type { MeshHost } from '@resultity/mesh'
import {
  type ByteStream,
  FIRST_FRAME_BYTES_MAX,
  FrameStream,
  type OpenSession,
  ReceiveBudgets,
  STAGE_FRAME_BYTES_MAX,
  STAGE_PROTOCOL,
  type StageFrame,
  sessionKey,
  stageCodec
} from '@resultity/wire'
import type { Logger } from 'pino'
import { drainingError } from './draining.ts'
import { LinkedSession } from './linked-session.ts'
import { loseHop } from './neighbour-fault.ts'
import { NextHops } from './next-hop.ts'
import type { SessionCache } from './parked-sessions.ts'
import { PendingJoins } from './pending-joins.ts'
import { SessionCaches } from './session-caches.ts'
import { fenced, isFencedBy, SessionFences } from './session-fences.ts'
import { ShownPieces } from './shown-pieces.ts'
import { isInput } from './stage-inputs.ts'
import { type StageStream, sendLast } from './stage-stream.ts'
import type { StageTable } from './stage-table.ts'

export interface StageServerComponents {
  readonly host: Pick<MeshHost, 'handle' | 'open' | 'remoteAddrOf' | 'unhandle'>
  readonly stages: StageTable
  readonly logger: Logger
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
  /** Whether this peer assigned this placement: only its coordinator may open sessions on it. */
  readonly mayOpen: (peerId: string, placementId: string) => boolean
  /** Whether this peer assigned anything to this node. */
  readonly mayAsk: (peerId: string) => boolean
  /** @throws MeshError when this node takes no hops of this peer for a placement */
  readonly admitHop: (peerId: string, placementId: string) => void
  /** Whether this peer is a coordinator of this node, or a member of one. */
  readonly isKnown: (peerId: string) => boolean
}

export interface StageServerInit {
  /** Streams that one peer may have open here at a time. */
  readonly streamsPerPeerMax: number
  /** Dialling and greeting the next stage. */
  readonly hopTimeoutMs: number
  /** A hop stream that joins before its session is opened waits that long. */
  readonly joinTimeoutMs: number
  readonly joinsPendingMax: number
  readonly joinsPendingPerPeerMax: number
  /** Time for a stream's first frame. */
  readonly firstFrameMs: number
  /** Memory for what sessions have sent to their next stages. */
  readonly sentLogBytes: number
}

/**
 * Memory for partly received frames over all streams of one peer: of a peer that this node works with, and of any
 * other.
 */
const KNOWN_UNFINISHED_BYTES_MAX = 256 * 1024 * 1024
const STRANGER_UNFINISHED_BYTES_MAX = 1024 * 1024

/** Share of a known peer's limit of waiting hops for a stranger, which may be a member that is not known yet. */
const STRANGER_JOINS_FRACTION = 1 / 8

/** How often leases are looked at; they are tens of seconds long. */
const LEASE_SWEEP_MS = 1000

/**
 * Serves `/resultity/stage`: opens sessions for coordinators, joins hops to them, and frees sessions whose stream has
 * ended.
 */
export class StageServer {
  readonly #host: StageServerComponents['host']
  readonly #stages: StageTable
  readonly #logger: Logger
  readonly #mayOpen: StageServerComponents['mayOpen']
  readonly #mayAsk: StageServerComponents['mayAsk']
  readonly #admitHop: StageServerComponents['admitHop']
  readonly #budgets: ReceiveBudgets
  readonly #init: StageServerInit
  readonly #scheduler: Scheduler
  readonly #sessions = new Map<string, LinkedSession>()
  readonly #fences = new SessionFences()
  readonly #joins: PendingJoins
  readonly #hops: NextHops
  readonly #caches: SessionCaches
  readonly #sweep: Timer
  #draining = false

  constructor(components: StageServerComponents, init: StageServerInit) {
    this.#host = components.host
    this.#stages = components.stages
    this.#logger = components.logger
    this.#mayOpen = components.mayOpen
    this.#mayAsk = components.mayAsk
    this.#admitHop = components.admitHop
    this.#init = init
    const { scheduler = systemScheduler } = components
    this.#scheduler = scheduler
    const { isKnown } = components
    this.#budgets = new ReceiveBudgets(peerId =>
      isKnown(peerId) ? KNOWN_UNFINISHED_BYTES_MAX : STRANGER_UNFINISHED_BYTES_MAX
    )
    this.#hops = new NextHops({ host: components.host, scheduler, hopTimeoutMs: init.hopTimeoutMs })
    const { sentLogBytes } = init
    this.#caches = new SessionCaches({ stages: components.stages, scheduler, sentLogBytes })
    this.#joins = new PendingJoins({
      scheduler,
      timeoutMs: init.joinTimeoutMs,
      pendingMax: init.joinsPendingMax,
      pendingPerPeerMax: peerId =>
        isKnown(peerId)
          ? init.joinsPendingPerPeerMax
          : Math.max(1, Math.floor(init.joinsPendingPerPeerMax * STRANGER_JOINS_FRACTION))
    })
    this.#sweep = scheduler.setInterval(() => this.#expireLeases(), LEASE_SWEEP_MS)
    this.#sweep.unref()
  }

  get sessionsOpen(): number {
    return this.#sessions.size
  }

  /** Memory that is held for what sessions have sent, those that are parked included. */
  get sentLogBytes(): number {
    return this.#caches.sentLogBytes
  }

  async listen(): Promise<void> {
    await this.#host.handle(STAGE_PROTOCOL, (stream, remotePeer) => this.#accept(stream, remotePeer), {
      inboundStreamsMax: this.#init.streamsPerPeerMax
    })
  }

  /** Refuses new sessions; those that are open go on. */
  startDraining(): void {
    this.#draining = true
  }

  /** Ends every session that runs on `placementId`. Where its stage stays, for another placement, their caches may stay, too. */
  endPlacement(placementId: string, reason: string): void {
    const stays = this.#stages.isShared(placementId)
    for (const session of this.#sessions.values()) {
      if (session.open.placementId !== placementId) continue
      const error = new MeshError('unavailable', reason)
      if (stays) session.lose(error)
      else session.fail(error)
    }
    this.#caches.forgetPrefixes(placementId)
  }

  async close(): Promise<void> {
    this.#scheduler.clear(this.#sweep)
    await this.#host.unhandle(STAGE_PROTOCOL)
    this.#joins.close()
    for (const session of this.#sessions.values()) {
      session.fail(
        new MeshError('unavailable', 'the node is shutting down', { hint: 'another node can serve the request' })
      )
    }
    this.#caches.clear()
  }

  /** The first frame says what the stream is: a coordinator's control stream or a hop. */
  #accept(stream: ByteStream, remotePeer: string): void {
    let session: LinkedSession | undefined
    let control = false
    const gone = new AbortController()
    const frames: StageStream = new FrameStream(
      stream,
      stageCodec,
      {
        onFrame: (frame: StageFrame) => {
          if (session !== undefined) return this.#continue(session, frame, control)
          if (frame.type === 'open') {
            control = true
            const onOpened = (opened: LinkedSession): void => {
              session = opened
            }
            // not returned, as a prompt is not: the stream must be read on, or its end would not be seen
            this.#open(frame, remotePeer, frames, onOpened, gone.signal).catch(error =>
              frames.fail(MeshError.from(error))
            )
            return
          }
          if (frame.type === 'join') {
            return this.#joins.wait(frame, remotePeer, this.#sessions.get(sessionKey(frame.session))).then(joined => {
              joined.connectPrevious(frames)
              // from now on, frames up to the size of this session
              frames.limitFrames(joined.hopFrameBytesMax)
              session = joined
            })
          }
          if (frame.type === 'try_hop') {
            this.#admitHop(remotePeer, frame.placementId)
            void sendLast(frames, { type: 'hop_tried', placementId: frame.placementId }, this.#scheduler)
            return
          }
          throw new MeshError('protocol_violation', `a stage stream starts with open or join, not with ${frame.type}`)
        },
        onBytes: () => {
          if (!control) session?.previousBytes()
        },
        onEnd: error => {
          gone.abort(error ?? new MeshError('canceled', 'the coordinator ended the session'))
          if (session === undefined || session.closed) return
          if (control) session.close()
          else loseHop(session, 'previous', remotePeer, error)
        }
      },
      {
        frameBytesMax: STAGE_FRAME_BYTES_MAX,
        // the session's coordinator may send a whole prompt; any other peer only says who it is
        firstFrame: {
          bytesMax: this.#mayAsk(remotePeer) ? STAGE_FRAME_BYTES_MAX : FIRST_FRAME_BYTES_MAX,
          timeoutMs: this.#init.firstFrameMs
        },
        budget: this.#budgets.of(remotePeer),
        scheduler: this.#scheduler
      }
    )
  }

  #continue(session: LinkedSession, frame: StageFrame, control: boolean): Promise<void> | void {
    if (frame.type === 'probe' && control) return session.answerProbe(frame)
    if (frame.type === 'piece' && control) return session.piece(frame)
    if (isInput(frame, control)) {
      const input = session.input(frame)
      // a prompt takes long, and what comes behind it, an end or a probe, must not wait
      return control ? undefined : input
    }
    // not awaited either
    if (frame.type === 'resume' && control) return void session.resume(frame)
    if (frame.type === 'close' && control) {
      if (frame.keep === true) session.leavePrefix()
      return frame.park === true ? this.#caches.park(session) : session.close()
    }
    session.fail(
      new MeshError('protocol_violation', `${frame.type} does not belong on a ${control ? 'control' : 'hop'} stream`)
    )
  }

  async #open(
    open: OpenSession,
    coordinator: string,
    control: StageStream,
    onOpened: (session: LinkedSession) => void,
    signal: AbortSignal
  ): Promise<void> {
    const { session: id, epoch } = open
    try {
      this.#admit(open, coordinator)
      // without a wait, as it mostly is, the session is open when the next frame is read
      const cache = this.#caches.hasParked(open) ? await this.#caches.parkedOf(open, coordinator, signal) : undefined
      const session = this.#createSession(open, coordinator, control, cache)
      onOpened(session)
      this.#joins.arrived(session)
      await Promise.all([this.#constrain(session, open), this.#hops.connect(session, coordinator, signal)])
      if (!session.lost) await control.send(openedFrame(session))
    } catch (error) {
      const failure = MeshError.from(error)
      const session = this.#sessions.get(sessionKey(id))
      if (session !== undefined && session.open === open) return session.lost ? undefined : session.fail(failure)
      await sendLast(control, { type: 'fault', session: id, epoch, error: failure }, this.#scheduler)
    }
  }

  /** @throws MeshError when this coordinator may not open this session here */
  #admit(open: OpenSession, coordinator: string): void {
    if (!this.#mayOpen(coordinator, open.placementId)) {
      const message = `${coordinator} did not assign placement ${open.placementId} to this node`
      throw new MeshError('session_forbidden', message, {
        hint: 'only the coordinator that assigned a placement may open sessions on it'
      })
    }
    if (this.#draining) throw drainingError()
    this.#fence(open)
    this.#replaceOlder(sessionKey(open.session), open)
    const { stage } = this.#stages.find(open.placementId)
    if (stage.range.first !== open.range.first || stage.range.end !== open.range.end) {
      throw new MeshError(
        'protocol_violation',
        `placement ${open.placementId} has layers ${formatRange(stage.range)} here, not ${formatRange(open.range)}`
      )
    }
  }

  #createSession(
    open: OpenSession,
    coordinator: string,
    control: StageStream,
    cache: SessionCache | undefined
  ): LinkedSession {
    const key = sessionKey(open.session)
    const { stage, manifest, reader } = this.#stages.find(open.placementId)
    const slot = cache ?? this.#caches.fresh(open)
    const { workClass = 'interactive', promptCount } = open
    const shown = reader && new ShownPieces({ reader, hiddenSize: stage.hiddenSize, promptCount, workClass })
    const session: LinkedSession = new LinkedSession(
      {
        control,
        stage: slot.stage,
        log: slot.log,
        now: () => this.#scheduler.monotonic(),
        scheduler: this.#scheduler,
        onClosed: cause => this.#forget(key, session, cause)
      },
      {
        open,
        first: stage.first,
        last: stage.last,
        hiddenSize: stage.hiddenSize,
        vocabularySize: manifest.config.vocabularySize,
        shown
      }
    )
    this.#sessions.set(key, session)
    this.#caches.opened(session, { coordinator, stage })
    return session
  }

  /** Ends the sessions of earlier attempts at the same request. @throws MeshError `session_fenced` for one itself */
  #fence({ fence }: OpenSession): void {
    if (fence === undefined) return
    this.#fences.admit(fence)
    this.#stages.parked.fence(fence)
    for (const session of this.#sessions.values()) {
      const older = session.open.fence
      if (isFencedBy(older, fence)) session.fail(fenced(older?.term ?? 0, fence.term))
    }
  }

  /** A re-routed session comes back with a higher epoch, and replaces the earlier one. */
  #replaceOlder(key: string, open: OpenSession): void {
    const older = this.#sessions.get(key)
    if (older === undefined) return
    if (older.open.epoch >= open.epoch) {
      throw new MeshError('protocol_violation', `session ${key} is open already with epoch ${older.open.epoch}`)
    }
    older.close()
  }

  /** Compiles the answer's constraint, where this stage samples it. */
  async #constrain(session: LinkedSession, { constraint, placementId, endTokens }: OpenSession): Promise<void> {
    const { stage, constraints } = this.#stages.find(placementId)
    if (constraint === undefined || !stage.last) return
    session.constrain(await constraints.constrain(constraint, new Set(endTokens)))
  }

  #forget(key: string, session: LinkedSession, cause: MeshError | undefined): void {
    if (this.#sessions.get(key) === session) this.#sessions.delete(key)
    const { computed, open, resumes } = session
    const of = { session: key, epoch: open.epoch, range: open.range, held: resumes?.held ?? 0, computed }
    this.#logger.debug({ ...of, err: cause }, cause === undefined ? 'session closed' : 'session failed')
  }

  #expireLeases(): void {
    const now = this.#scheduler.monotonic()
    this.#caches.expire()
    for (const session of this.#sessions.values()) {
      if (!session.leaseExpired(now)) continue
      session.fail(
        new MeshError('deadline_exceeded', `no frame came for ${session.open.leaseMs} ms; the slot was freed`, {
          hint: 'a stage of the route hangs; send the request again'
        })
      )
    }
  }
}

function openedFrame({ open, kept, resumes }: LinkedSession): StageFrame {
  const { session, epoch } = open
  return {
    type: 'opened',
    session,
    epoch,
    ...(kept > 0 ? { kept } : {}),
    ...(resumes === undefined ? {} : { resumes })
  }
}
