import { formatRange, MeshError, type Scheduler, systemScheduler, type Timer, withDeadline } from '@resultity/interface'
import type { MeshHost } from '@resultity/mesh'
import {
  type Activations,
  type ByteStream,
  FIRST_FRAME_BYTES_MAX,
  FrameStream,
  type Hop,
  type NextToken,
  type OpenSession,
  type Prompt,
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
import { reachablePeer } from './peer-addresses.ts'
import { PendingJoins } from './pending-joins.ts'
import { fenced, isFencedBy, SessionFences } from './session-fences.ts'
import { prefixOf } from './session-prefix.ts'
import { ShownPieces } from './shown-pieces.ts'
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

  async listen(): Promise<void> {
    await this.#host.handle(STAGE_PROTOCOL, (stream, remotePeer) => this.#accept(stream, remotePeer), {
      inboundStreamsMax: this.#init.streamsPerPeerMax
    })
  }

  /** Refuses new sessions; those that are open go on. */
  startDraining(): void {
    this.#draining = true
  }

  /** Ends every session that runs on `placementId`. */
  endPlacement(placementId: string, reason: string): void {
    for (const session of this.#sessions.values()) {
      if (session.open.placementId === placementId) session.fail(new MeshError('unavailable', reason))
    }
    this.#stages.forgetPrefixes(placementId)
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
    if (frame.type === 'close' && control) {
      if (frame.keep === true) session.leavePrefix()
      return session.close()
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
      const session = this.#createSession(open, coordinator, control)
      onOpened(session)
      this.#joins.arrived(session)
      await Promise.all([this.#constrain(session, open), this.#linkNext(session, open, coordinator, signal)])
      await control.send({ type: 'opened', session: id, epoch, ...(session.kept > 0 ? { kept: session.kept } : {}) })
    } catch (error) {
      const failure = MeshError.from(error)
      const session = this.#sessions.get(sessionKey(id))
      if (session !== undefined && session.open === open) return session.fail(failure)
      await sendLast(control, { type: 'fault', session: id, epoch, error: failure }, this.#scheduler)
    }
  }

  #createSession(open: OpenSession, coordinator: string, control: StageStream): LinkedSession {
    if (!this.#mayOpen(coordinator, open.placementId)) {
      const message = `${coordinator} did not assign placement ${open.placementId} to this node`
      throw new MeshError('session_forbidden', message, {
        hint: 'only the coordinator that assigned a placement may open sessions on it'
      })
    }
    if (this.#draining) throw drainingError()
    const key = sessionKey(open.session)
    this.#fence(open)
    this.#replaceOlder(key, open)
    const { stage, manifest, reader } = this.#stages.find(open.placementId)
    if (stage.range.first !== open.range.first || stage.range.end !== open.range.end) {
      throw new MeshError(
        'protocol_violation',
        `placement ${open.placementId} has layers ${formatRange(stage.range)} here, not ${formatRange(open.range)}`
      )
    }
    const { workClass = 'interactive', promptCount } = open
    const shown = reader && new ShownPieces({ reader, hiddenSize: stage.hiddenSize, promptCount, workClass })
    const session: LinkedSession = new LinkedSession(
      {
        control,
        stage: stage.open({ positionsMax: promptCount + open.tokensMax, workClass, promptCount, ...prefixOf(open) }),
        now: () => this.#scheduler.monotonic(),
        scheduler: this.#scheduler,
        onClosed: (closed, cause) => this.#forget(key, closed, cause)
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
    return session
  }

  /** Ends the sessions of earlier attempts at the same request. @throws MeshError `session_fenced` for one itself */
  #fence({ fence }: OpenSession): void {
    if (fence === undefined) return
    this.#fences.admit(fence)
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

  async #linkNext(
    session: LinkedSession,
    { next }: OpenSession,
    coordinator: string,
    signal: AbortSignal
  ): Promise<void> {
    if (next === undefined) return
    session.dialNext()
    try {
      session.connectNext(await this.#connectNext(session, next, coordinator, signal))
    } catch (error) {
      const { code } = MeshError.from(error)
      if (code === 'peer_unreachable' || code === 'deadline_exceeded') session.hopBroke(next.peerId)
      throw error
    }
  }

  #connectNext(session: LinkedSession, next: Hop, coordinator: string, gone: AbortSignal): Promise<StageStream> {
    const scheduler = this.#scheduler
    const connect = async (signal: AbortSignal): Promise<StageStream> => {
      const peer = await reachablePeer(this.#host, next, coordinator)
      const stream = await this.#host.open(peer, STAGE_PROTOCOL, { signal })
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
    return withDeadline(what, this.#init.hopTimeoutMs, connect, { signal: gone, scheduler })
  }

  #forget(key: string, session: LinkedSession, cause: MeshError | undefined): void {
    if (this.#sessions.get(key) === session) this.#sessions.delete(key)
    this.#logger.debug({ session: key, err: cause }, cause === undefined ? 'session closed' : 'session failed')
  }

  #expireLeases(): void {
    const now = this.#scheduler.monotonic()
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

/** Prompts come from the coordinator, everything else from the previous stage. */
function isInput(frame: StageFrame, control: boolean): frame is Prompt | Activations | NextToken {
  return control ? frame.type === 'prompt' : frame.type === 'activations' || frame.type === 'next'
}

function loseHop(session: LinkedSession, which: 'previous' | 'next', peerId: string, cause?: MeshError): void {
  session.hopBroke(peerId)
  session.fail(
    new MeshError(
      'node_lost',
      `the ${which} stage, at ${peerId}, went away while layers ${formatRange(session.open.range)} were waiting for it`,
      { cause, hint: 'send the request again; it will be routed around the lost node', details: { peerId } }
    )
  )
}
