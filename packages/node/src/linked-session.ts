import { allFinite, MeshError, type Scheduler, systemScheduler } from '@resultity/interface'
import type { TokenConstraint } from '@resultity/sampling'
import {
  floatsToHidden,
  type HeldPositions,
  hiddenToFloats,
  type NextToken,
  type OpenSession,
  type Piece,
  type Probe,
  type Resume,
  type StageFrame,
  sameSession
} from '@resultity/wire'
import { type GenerationOutputs, GenerationSession } from './generation-session.ts'
import { HopAcks } from './hop-acks.ts'
import { HopWatch } from './hop-watch.ts'
import type { LinkedSessionComponents, LinkedSessionInit } from './linked-session-init.ts'
import { blamingFor } from './neighbour-fault.ts'
import type { SessionCache } from './parked-sessions.ts'
import { Resumption } from './resumption.ts'
import type { SentStates } from './sent-log.ts'
import { endOf, inputBytesMax, notNumbers, type StageInput } from './stage-inputs.ts'
import { type StageStream, sendLast } from './stage-stream.ts'
import { TokenReports } from './token-reports.ts'

/**
 * A generation session with its streams: the control stream to the coordinator, the hop from the previous stage and the
 * hop to the next. Owns all of them and the KV slot, and gives all of them up at once, exactly once.
 */
export class LinkedSession implements GenerationOutputs {
  readonly open: OpenSession
  /** Positions of the prefix that this stage has kept, whatever inputs have come since. */
  readonly kept: number
  /** What it has of an earlier epoch; undefined where it was not asked to keep that. */
  readonly resumes: HeldPositions | undefined
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
  /** It has lost a neighbour, and computes nothing more. Its cache waits for what the coordinator says. */
  #lost = false
  /** Taken by {@link park}. */
  #parked = false
  readonly #resumption: Resumption
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
    this.#acks = new HopAcks({ scheduler, send: position => this.#tellCame(position) })
    this.#watch = new HopWatch({ scheduler, onSilent: silentMs => this.#tellLinkFault(open.next?.peerId, silentMs) })
    this.#generation = new GenerationSession(
      { ...init, ...open, endTokens: new Set(open.endTokens), constrained: open.constraint !== undefined },
      components.stage,
      this
    )
    const goesOn = (open.keepPositions ?? 0) > 0
    this.#resumption = new Resumption(components.log, goesOn)
    this.resumes = this.#resumption.heldOf(components.stage.position)
    this.kept = goesOn ? 0 : components.stage.position
  }

  get closed(): boolean {
    return this.#closed
  }

  /** It lost a neighbour, and waits for what the coordinator says. */
  get lost(): boolean {
    return this.#lost
  }

  /** Positions that this stage has computed, in this epoch of the session. */
  get computed(): number {
    return this.#generation.computed
  }

  /** What the previous stage may send at once: the longest prefill step, or a token. */
  get hopFrameBytesMax(): number {
    return inputBytesMax(this.open, this.#hiddenSize)
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
    if (this.#works) this.#watch.dial()
  }

  /** The hop stream to the next stage, ready to be written to. */
  connectNext(next: StageStream): void {
    if (!this.#works) {
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
    if (this.#works) this.#tellLinkFault(peerId, 0)
  }

  /**
   * The coordinator says where the session goes on, of what the stage has. What the next stage lacks of that is sent first.
   * Inputs that come meanwhile wait.
   */
  async resume(frame: Resume): Promise<void> {
    try {
      if (!this.#concerns(frame)) return
      this.#lastFrameAt = this.#now()
      const again = this.#resumption.start(frame)
      await this.#generation.resume(frame.begin)
      for (const states of again) {
        if (!this.#works) return
        await this.#send(states)
      }
      this.#resumption.release()
    } catch (error) {
      this.#broke(MeshError.from(error, 'engine_failed'))
    }
  }

  /** The hop stream from the previous stage. @throws MeshError `protocol_violation` when there is one already */
  connectPrevious(previous: StageStream): void {
    if (this.#previous !== undefined) throw new MeshError('protocol_violation', 'the previous stage has joined already')
    this.#previous = previous
  }

  /** Bytes came from the previous stage. It hears of that, and the lease runs on: a large frame takes long on a slow link. */
  previousBytes(): void {
    if (!this.#works) return
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
  async input(frame: StageInput): Promise<void> {
    try {
      if (!this.#concerns(frame)) return
      this.#lastFrameAt = this.#now()
      if (this.#resumption.waiting !== undefined) {
        this.#acknowledge(frame)
        await this.#resumption.waiting
        if (!this.#works) return
      }
      const stepped = this.#step(frame)
      // the step has begun by now, so the acknowledgement does not hold it up
      this.#acknowledge(frame)
      await stepped
      this.#acks.done()
    } catch (error) {
      this.#broke(MeshError.from(error, 'engine_failed'))
    }
  }

  hidden(position: number, count: number, hidden: Float32Array): Promise<void> | void {
    const states = { position, count, hidden: floatsToHidden(hidden) }
    return this.#resumption.sends(states) ? this.#send(states) : undefined
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
    // who asks has not given it up, though for long nothing may come while another stage catches up
    this.#lastFrameAt = this.#now()
    return this.#control.send({ type: 'probe_ack', session, epoch, nonce })
  }

  /** Applies `constraint` to the answer. Call it before the session is reported as open. */
  constrain(constraint: TokenConstraint): void {
    if (!this.#works) constraint[Symbol.dispose]()
    else this.#generation.constrain(constraint)
  }

  /**
   * A neighbour is gone, and the session cannot go on here. Its cache stays, if the coordinator asked for that, until it says what
   * becomes of the session, or its stream ends.
   */
  lose(error: MeshError): void {
    if (this.open.parks !== true) this.fail(error)
    if (!this.#works) return
    const { session, epoch } = this.open
    this.#reports.flush()
    this.#lost = true
    this.#stop(error)
    this.#forward(this.#control, { type: 'fault', session, epoch, error })
  }

  /** Ends the session. @returns its cache, for its next epoch */
  park(): SessionCache {
    this.#parked = true
    const cache = { ...this.#generation.park(), log: this.#resumption.log }
    this.close()
    return cache
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
    if (this.#closed) return
    this.#generation.leavePrefix()
    this.#resumption.log.leavePrefix()
  }

  /** Ends the session: the coordinator said so, or is gone. */
  close(): void {
    if (this.#closed) return
    this.#release(undefined)
    this.#control.abort(new MeshError('canceled', 'the session has ended'))
  }

  /** Neither is it over, nor has it lost a neighbour. */
  get #works(): boolean {
    return !this.#closed && !this.#lost
  }

  #release(cause: MeshError | undefined): void {
    this.#closed = true
    this.#stop(cause ?? new MeshError('canceled', 'the session has ended'))
    if (!this.#parked) {
      this.#generation[Symbol.dispose]()
      this.#resumption.log[Symbol.dispose]()
    }
    this.#onClosed(cause)
  }

  /** Nothing comes in or goes out any more but over the control stream. */
  #stop(reason: MeshError): void {
    this.#reports[Symbol.dispose]()
    this.#acks[Symbol.dispose]()
    this.#watch[Symbol.dispose]()
    this.#generation.stop()
    this.#resumption.release()
    this.#next?.abort(reason)
    this.#previous?.abort(reason)
  }

  #send(states: SentStates): Promise<void> | undefined {
    const { session, epoch } = this.open
    const sent = this.#next?.send({ type: 'activations', session, epoch, ...states })
    this.#watch.sent(states.position + states.count)
    return sent
  }

  #acknowledge(frame: StageInput): void {
    if (frame.type !== 'prompt' && this.#previous !== undefined) this.#acks.came(endOf(frame))
  }

  /**
   * Whether a frame belongs to this route: frames of an earlier route may still come.
   * @throws MeshError `protocol_violation` for one of another session
   */
  #concerns({ session, epoch }: Pick<OpenSession, 'session' | 'epoch'>): boolean {
    if (!this.#works || epoch !== this.open.epoch) return false
    if (sameSession(session, this.open.session)) return true
    throw violation('a frame names a session that its stream does not carry')
  }

  async #step(frame: StageInput): Promise<void> {
    const { previousPeer } = this.open
    if (frame.type === 'activations') {
      const hidden = hiddenToFloats(frame.hidden)
      // checked before the values reach a cache, while it is clear who sent them
      if (!allFinite(hidden)) throw notNumbers(frame, previousPeer)
      await blamingFor(previousPeer, () => this.#generation.hidden(frame.position, frame.count, hidden))
    } else if (frame.type === 'next') {
      await blamingFor(previousPeer, () => this.#generation.next(frame.position, frame.token))
    } else if (this.open.next !== undefined && this.#next === undefined) {
      throw violation('the prompt came before the session was opened')
    } else {
      await this.#generation.prompt(Uint32Array.from(frame.tokens), frame.kept)
    }
  }

  #tellCame(position: number): void {
    const { session, epoch } = this.open
    this.#forward(this.#previous, { type: 'hop_ack', session, epoch, position })
  }

  #tellLinkFault(peerId: string | undefined, silentMs: number): void {
    const { session, epoch } = this.open
    if (peerId !== undefined) this.#forward(this.#control, { type: 'link_fault', session, epoch, peerId, silentMs })
  }

  /** Small frames are not waited for: there are at most `tokensMax` of them. */
  #forward(stream: StageStream | undefined, frame: StageFrame): void {
    if (stream !== undefined) this.#handOn(stream.send(frame))
  }

  #handOn(sent: Promise<void>): void {
    sent.catch((error: unknown) => this.#broke(MeshError.from(error, 'node_lost')))
  }

  /** A stream that broke is all that these errors tell of here: what was computed is right. */
  #broke(error: MeshError): void {
    if (error.code === 'node_lost' || error.code === 'peer_unreachable') this.lose(error)
    else this.fail(error)
  }
}

function violation(message: string): MeshError {
  return new MeshError('protocol_violation', message)
}
