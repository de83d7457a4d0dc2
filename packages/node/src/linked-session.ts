import type { StageSession } from '@resultity/engine'
import { allFinite, longestPrefillStep, MeshError, type Scheduler, systemScheduler } from '@resultity/interface'
import type { TokenConstraint } from '@resultity/sampling'
import {
  type Activations,
  floatsToHidden,
  hiddenToFloats,
  type NextToken,
  type OpenSession,
  type Piece,
  type Probe,
  type Prompt,
  STAGE_FRAME_BYTES_MAX,
  type StageFrame,
  sameSession
} from '@resultity/wire'
import { type GenerationOutputs, GenerationSession } from './generation-session.ts'
import { HopAcks } from './hop-acks.ts'
import { HopWatch } from './hop-watch.ts'
import type { ShownPieces } from './shown-pieces.ts'
import { type StageStream, sendLast } from './stage-stream.ts'
import { TokenReports } from './token-reports.ts'

/** Beside the hidden states of a frame. */
const ACTIVATIONS_HEAD_BYTES = 1024

export interface LinkedSessionComponents {
  /** Stream to the coordinator; when it ends, the session ends. */
  readonly control: StageStream
  readonly stage: StageSession
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
  /** Called once, when the session is over for whatever reason. */
  readonly onClosed: (session: LinkedSession, cause: MeshError | undefined) => void
}

export interface LinkedSessionInit {
  readonly open: OpenSession
  readonly first: boolean
  readonly last: boolean
  readonly hiddenSize: number
  readonly vocabularySize: number
  /** On the first stage of a model that reads pictures. */
  readonly shown?: ShownPieces | undefined
}

/**
 * A generation session with its streams: the control stream to the coordinator, the hop from the previous stage and the
 * hop to the next. Owns all of them and the KV slot, and gives all of them up at once, exactly once.
 */
export class LinkedSession implements GenerationOutputs {
  readonly open: OpenSession
  /** Positions of the prefix that this stage has kept, whatever inputs have come since. */
  readonly kept: number
  /** Values of one position's hidden state. */
  readonly #hiddenSize: number
  readonly #control: StageStream
  readonly #generation: GenerationSession
  readonly #reports: TokenReports
  readonly #acks: HopAcks
  readonly #watch: HopWatch
  readonly #now: () => number
  readonly #scheduler: Scheduler
  readonly #onClosed: LinkedSessionComponents['onClosed']
  #next: StageStream | undefined
  #previous: StageStream | undefined
  #closed = false
  /** The lease runs from here: bytes of a frame came, or a position was reached without one. */
  #lastFrameAt: number
  #lastProgress = 0

  constructor(components: LinkedSessionComponents, init: LinkedSessionInit) {
    const { open } = init
    const { scheduler = systemScheduler } = components
    this.open = open
    this.#hiddenSize = init.hiddenSize
    this.#control = components.control
    this.#now = components.now
    this.#scheduler = scheduler
    this.#onClosed = components.onClosed
    this.#lastFrameAt = components.now()
    this.#reports = new TokenReports({
      withinMs: open.tellWithinMs ?? 0,
      scheduler,
      send: reports => this.#handOn(this.#control.sendAll(reports))
    })
    this.#acks = new HopAcks({ scheduler, send: position => this.#acknowledge(position) })
    this.#watch = new HopWatch({ scheduler, onSilent: silentMs => this.#tellLinkFault(open.next?.peerId, silentMs) })
    this.#generation = new GenerationSession(
      { ...init, ...open, endTokens: new Set(open.endTokens), constrained: open.constraint !== undefined },
      components.stage,
      this
    )
    this.kept = components.stage.position
  }

  get closed(): boolean {
    return this.#closed
  }

  /** What the previous stage may send at once: the longest prefill step, or a token. */
  get hopFrameBytesMax(): number {
    const positions = longestPrefillStep(this.open.prefillChunk)
    const bytes = positions * this.#hiddenSize * Float32Array.BYTES_PER_ELEMENT + ACTIVATIONS_HEAD_BYTES
    return Math.min(bytes, STAGE_FRAME_BYTES_MAX)
  }

  /** True when no frame has come for the lease that the coordinator asked for, nor a step been done. */
  leaseExpired(now: number): boolean {
    const { progress } = this.#generation
    if (progress !== this.#lastProgress) this.#lastFrameAt = now
    this.#lastProgress = progress
    return now - this.#lastFrameAt > this.open.leaseMs
  }

  /** The next stage is being dialled. */
  dialNext(): void {
    if (!this.#closed) this.#watch.dial()
  }

  /** The hop stream to the next stage, ready to be written to. */
  connectNext(next: StageStream): void {
    if (this.#closed) {
      next.abort(new MeshError('canceled', 'the session has ended'))
      return
    }
    this.#next = next
    this.#watch.connected()
  }

  /** Takes in a frame of the next stage. */
  fromNext(frame: StageFrame): void {
    try {
      if (frame.type === 'fault') throw frame.error
      if (frame.type !== 'hop_ack') throw violation(`a next stage sends no ${frame.type}`)
      if (this.#concerns(frame)) this.#watch.acknowledged(frame.position)
    } catch (error) {
      this.fail(MeshError.from(error))
    }
  }

  /** The hop to or from a neighbour broke, or could not be made; the session is about to fail because of that. */
  hopBroke(peerId: string): void {
    if (!this.#closed) this.#tellLinkFault(peerId, 0)
  }

  /** The hop stream from the previous stage. @throws MeshError `protocol_violation` when there is one already */
  connectPrevious(previous: StageStream): void {
    if (this.#previous !== undefined) throw new MeshError('protocol_violation', 'the previous stage has joined already')
    this.#previous = previous
  }

  /** Bytes came from the previous stage. It hears of that, and the lease runs on: a large frame takes long on a slow link. */
  previousBytes(): void {
    if (this.#closed) return
    this.#lastFrameAt = this.#now()
    this.#acks.received()
  }

  /** A piece of a picture that the prompt shows. */
  piece(frame: Piece): void {
    try {
      if (!this.#concerns(frame)) return
      this.#lastFrameAt = this.#now()
      this.#generation.piece(frame.position, frame.pixels)
    } catch (error) {
      this.fail(MeshError.from(error))
    }
  }

  /** One input of the session; the promise settles when its result has been handed on. */
  async input(frame: Prompt | Activations | NextToken): Promise<void> {
    try {
      if (!this.#concerns(frame)) return
      this.#lastFrameAt = this.#now()
      const stepped = this.#step(frame)
      // the step has begun by now, so the acknowledgement does not hold it up
      if (frame.type !== 'prompt' && this.#previous !== undefined) this.#acks.came(endOf(frame))
      await stepped
      this.#acks.done()
    } catch (error) {
      this.fail(MeshError.from(error, 'engine_failed'))
    }
  }

  hidden(position: number, count: number, hidden: Float32Array): Promise<void> | void {
    const { session, epoch } = this.open
    const frame: Activations = { type: 'activations', session, epoch, position, count, hidden: floatsToHidden(hidden) }
    const sent = this.#next?.send(frame)
    this.#watch.sent(position + count)
    return sent
  }

  nextToken(position: number, token: number): void {
    const { session, epoch } = this.open
    const frame: NextToken = { type: 'next', session, epoch, position, token }
    // a route of one stage feeds itself; `input` reports its own failures
    if (this.open.next === undefined) return void this.input(frame)
    this.#forward(this.#next, frame)
    this.#watch.sent(position + 1)
  }

  sampled(token: Parameters<GenerationOutputs['sampled']>[0]): void {
    const { session, epoch, promptCount, committed = [] } = this.open
    this.#reports.add({ type: 'sampled', session, epoch, ...token })
    const first = token.position === promptCount + committed.length
    if (token.finish !== 'continues' || first) this.#reports.flush()
  }

  scores(scores: Parameters<GenerationOutputs['scores']>[0]): void {
    const { session, epoch } = this.open
    this.#forward(this.#control, { type: 'scores', session, epoch, ...scores })
  }

  replayed(replayed: Parameters<GenerationOutputs['replayed']>[0]): void {
    const { session, epoch } = this.open
    this.#forward(this.#control, { type: 'replayed', session, epoch, ...replayed })
  }

  /** Says that this node is there. */
  answerProbe({ nonce }: Probe): Promise<void> {
    const { session, epoch } = this.open
    return this.#control.send({ type: 'probe_ack', session, epoch, nonce })
  }

  /** Applies `constraint` to the answer. Call it before the session is reported as open. */
  constrain(constraint: TokenConstraint): void {
    if (this.#closed) constraint[Symbol.dispose]()
    else this.#generation.constrain(constraint)
  }

  /** Ends the session, and tells the coordinator why if the stream still allows it. */
  fail(error: MeshError): void {
    if (this.#closed) return
    const { session, epoch } = this.open
    // mostly the answer has ended, and the neighbour heard of it first; what has been computed is right all the same
    if (error.code === 'node_lost') this.leavePrefix()
    this.#reports.flush()
    this.#release(error)
    // a coordinator that is gone cannot be told, and has given the session up itself
    const { blamedPeer } = error.details
    const blame = typeof blamedPeer === 'string' ? { blamedPeer } : {}
    void sendLast(this.#control, { type: 'fault', session, epoch, error, ...blame }, this.#scheduler)
  }

  /** Later sessions may begin with what this one has computed of its prefix. */
  leavePrefix(): void {
    if (!this.#closed) this.#generation.leavePrefix()
  }

  /** Ends the session: the coordinator said so, or is gone. */
  close(): void {
    if (this.#closed) return
    this.#release(undefined)
    this.#control.abort(new MeshError('canceled', 'the session has ended'))
  }

  #release(cause: MeshError | undefined): void {
    this.#closed = true
    this.#reports[Symbol.dispose]()
    this.#acks[Symbol.dispose]()
    this.#watch[Symbol.dispose]()
    this.#generation[Symbol.dispose]()
    const reason = cause ?? new MeshError('canceled', 'the session has ended')
    this.#next?.abort(reason)
    this.#previous?.abort(reason)
    this.#onClosed(this, cause)
  }

  /**
   * Whether a frame belongs to this route: frames of an earlier route may still come.
   * @throws MeshError `protocol_violation` for one of another session
   */
  #concerns({ session, epoch }: Pick<OpenSession, 'session' | 'epoch'>): boolean {
    if (this.#closed || epoch !== this.open.epoch) return false
    if (sameSession(session, this.open.session)) return true
    throw violation('a frame names a session that its stream does not carry')
  }

  async #step(frame: Prompt | Activations | NextToken): Promise<void> {
    if (frame.type === 'activations') {
      const hidden = hiddenToFloats(frame.hidden)
      if (!allFinite(hidden)) throw this.#notNumbers(frame)
      await this.#generation.hidden(frame.position, frame.count, hidden)
    } else if (frame.type === 'next') {
      await this.#generation.next(frame.position, frame.token)
    } else if (this.open.next !== undefined && this.#next === undefined) {
      throw violation('the prompt came before the session was opened')
    } else {
      await this.#generation.prompt(Uint32Array.from(frame.tokens), frame.kept)
    }
  }

  #acknowledge(position: number): void {
    const { session, epoch } = this.open
    this.#forward(this.#previous, { type: 'hop_ack', session, epoch, position })
  }

  #tellLinkFault(peerId: string | undefined, silentMs: number): void {
    const { session, epoch } = this.open
    if (peerId !== undefined) this.#forward(this.#control, { type: 'link_fault', session, epoch, peerId, silentMs })
  }

  /** Checked before the values reach a cache, while it is clear who sent them. */
  #notNumbers({ position }: Activations): MeshError {
    const { previousPeer } = this.open
    const what = `the stage at ${previousPeer} sent hidden states for position ${position} that are no finite numbers`
    return new MeshError('protocol_violation', what, {
      hint: 'That node is faulty, or its weights are damaged or overflow on its engine; verify the model there.',
      details: { blamedPeer: previousPeer }
    })
  }

  /** Small frames are not waited for: there are at most `tokensMax` of them. */
  #forward(stream: StageStream | undefined, frame: StageFrame): void {
    if (stream !== undefined) this.#handOn(stream.send(frame))
  }

  #handOn(sent: Promise<void>): void {
    sent.catch((error: unknown) => this.fail(MeshError.from(error, 'node_lost')))
  }
}

/** Where the next frame begins. */
function endOf(frame: Activations | NextToken): number {
  return frame.position + (frame.type === 'activations' ? frame.count : 1)
}

function violation(message: string): MeshError {
  return new MeshError('protocol_violation', message)
}
