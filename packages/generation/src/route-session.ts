import {
  type AbortOptions,
  MeshError,
  type OutputConstraint,
  type Route,
  type Sampling,
  type Scheduler,
  type StagePlacement,
  systemScheduler,
  type Timer,
  type WorkClass,
  withDeadline
} from '@resultity/interface'
import type { OpenSession, PromptScores, Sampled, StageFrame } from '@resultity/wire'
import { GenerationState } from './generation-state.ts'
import {
  isNeighbourLoss,
  type NodeAddress,
  StageControl,
  type StreamOpener,
  stageFault,
  stageLost
} from './stage-control.ts'

export interface RouteSessionComponents {
  readonly opener: StreamOpener
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
  /** Where a node is, for the node `forPeer` to dial it; undefined when it is not here any more. */
  addressOf(peerId: string, forPeer?: string): NodeAddress | undefined
  /** @returns stops listening */
  onNodeLeft(listener: (peerId: string) => void): () => void
}

export interface RouteSessionLimits {
  readonly sessionOpenMs: number
  readonly firstTokenMs: number
  readonly promptTokenMs: number
  readonly nextTokenMs: number
  readonly tellWithinMs: number
  readonly sessionLeaseMs: number
  readonly sessionCloseMs: number
  readonly lossGraceMs: number
}

/** The generation to run, in token ids. */
export interface RouteSessionInit {
  readonly route: Route
  readonly prompt: readonly number[]
  readonly tokensMax: number
  readonly prefillChunk: number
  readonly endTokens: ReadonlySet<number>
  readonly tokensMin: number
  readonly sampling: Sampling
  readonly logprobs: boolean
  readonly topLogprobs: number
  /** Vocabulary size of the model: every token id is smaller. */
  readonly vocabularySize: number
  readonly constraint?: OutputConstraint
  /** Score the prompt; it then runs position by position, for only a chunk's last one has logits. */
  readonly promptLogprobs: boolean
  readonly workClass: WorkClass
  /** Whether each token is wanted as it comes; else some come late, and several at once. */
  readonly watched: boolean
}

/** Epoch of a session's first route, which is the only one so far. */
const FIRST_EPOCH = 1

/**
 * One generation on its route: control streams to all stages, sampled tokens from the last.
 *
 * `open` resolves when every stage has taken its slot. Tokens are then read with `next`. Whatever goes wrong (a
 * stream ends, a stage reports a fault or breaks the protocol, a node leaves, no token comes in time) ends the whole
 * session once, with the first error; `close` frees every slot and may be called at any time.
 */
export class RouteSession {
  readonly #components: RouteSessionComponents
  readonly #limits: RouteSessionLimits
  readonly #init: RouteSessionInit
  readonly #scheduler: Scheduler
  readonly #session: Uint8Array
  readonly #state: GenerationState
  readonly #controls: StageControl[] = []
  readonly #opened = Promise.withResolvers<void>()
  /** Not yet read. At most prompt and `tokensMax`, which the context bounds. */
  readonly #results: (PromptScores | Sampled)[] = []
  readonly #stopListening: () => void
  #wake: PromiseWithResolvers<void> | undefined
  #watchdog: Timer | undefined
  /** Stages that have reported a fault: that their streams end after it says nothing new. */
  readonly #faulted = new Set<number>()
  #error: MeshError | undefined
  #closed: Promise<void> | undefined

  private constructor(components: RouteSessionComponents, limits: RouteSessionLimits, init: RouteSessionInit) {
    this.#components = components
    this.#limits = limits
    this.#init = init
    this.#scheduler = components.scheduler ?? systemScheduler
    this.#session = this.#scheduler.randomBytes(16)
    this.#state = new GenerationState({
      session: this.#session,
      epoch: FIRST_EPOCH,
      stageCount: init.route.stages.length,
      promptCount: init.prompt.length,
      tokensMax: init.tokensMax,
      endTokens: init.endTokens,
      tokensMin: init.tokensMin,
      promptLogprobs: init.promptLogprobs,
      vocabularySize: init.vocabularySize,
      topLogprobs: init.logprobs || init.promptLogprobs ? init.topLogprobs : undefined
    })
    this.#opened.promise.catch(() => this.#error)
    this.#stopListening = components.onNodeLeft(peerId => this.#onNodeLeft(peerId))
  }

  /**
   * Takes a slot on every stage, connects them, and sends the prompt off.
   * @throws MeshError `node_lost`, `deadline_exceeded`, a stage's own fault; the signal's reason
   */
  static async open(
    components: RouteSessionComponents,
    limits: RouteSessionLimits,
    init: RouteSessionInit,
    options: AbortOptions = {}
  ): Promise<RouteSession> {
    const session = new RouteSession(components, limits, init)
    try {
      await withDeadline(
        'opening the session on all stages',
        limits.sessionOpenMs,
        signal => session.#openAll(signal),
        { ...options, scheduler: session.#scheduler }
      )
      session.#sendPrompt()
      return session
    } catch (error) {
      await session.close('the session could not be opened')
      throw session.#error ?? MeshError.from(error)
    }
  }

  /**
   * The next scores of the prompt, where they were asked for, then the next sampled token; undefined after the last one.
   * @throws MeshError what ended the session
   */
  async next(): Promise<PromptScores | Sampled | undefined> {
    for (;;) {
      const result = this.#results.shift()
      if (result !== undefined) return result
      if (this.#error !== undefined) throw this.#error
      if (this.#state.phase === 'ended') return undefined
      this.#wake = Promise.withResolvers()
      await this.#wake.promise
    }
  }

  /** Ends the session with `error`: a waiting `next` rejects with it, and all slots are freed. */
  fail(error: MeshError): void {
    if (this.#error !== undefined || this.#closed !== undefined) return
    this.#error = error
    this.#opened.reject(error)
    this.#wake?.resolve()
    void this.close(error.message)
  }

  /** Resolves once every stage has confirmed, or was cut off, within the deadline for that. Never rejects. */
  close(reason: string): Promise<void> {
    this.#closed ??= this.#close(reason)
    return this.#closed
  }

  async #close(reason: string): Promise<void> {
    this.#scheduler.clear(this.#watchdog)
    this.#stopListening()
    const shortReason = reason.slice(0, 256)
    await Promise.all(
      this.#controls.map(control => control.end(this.#session, shortReason, this.#limits.sessionCloseMs))
    )
  }

  async #openAll(signal: AbortSignal): Promise<void> {
    const { stages } = this.#init.route
    const addresses = stages.map(stage => this.#address(stage))
    await Promise.all(stages.map((stage, index) => this.#openStage(stage, index, addresses, signal)))
    await this.#opened.promise
  }

  async #openStage(
    stage: StagePlacement,
    index: number,
    addresses: readonly NodeAddress[],
    signal: AbortSignal
  ): Promise<void> {
    const handlers = {
      onFrame: (frame: StageFrame) => this.#onFrame(index, frame),
      onEnd: (error: MeshError | undefined) => this.#onStageEnd(stage, index, error)
    }
    const address = addresses[index] ?? this.#address(stage)
    const control = await StageControl.open(this.#components.opener, stage, address, handlers, {
      signal,
      scheduler: this.#scheduler
    })
    if (this.#closed !== undefined || signal.aborted) {
      control.abort(new MeshError('canceled', 'the session ended while it was opened'))
      return
    }
    this.#controls[index] = control
    await control.send(this.#openFrame(stage, index, addresses))
  }

  #openFrame(stage: StagePlacement, index: number, addresses: readonly NodeAddress[]): OpenSession {
    const { route, prompt, tokensMax, endTokens, sampling, logprobs, topLogprobs, promptLogprobs, workClass } =
      this.#init
    const count = addresses.length
    const alone = count === 1
    return {
      type: 'open',
      session: this.#session,
      epoch: this.#state.epoch,
      placementId: route.placementId,
      range: stage.range,
      next: alone ? undefined : this.#nextHop(stage, addresses[(index + 1) % count]),
      previousPeer: alone ? '' : (addresses[(index + count - 1) % count]?.peerId ?? ''),
      promptCount: prompt.length,
      tokensMax,
      prefillChunk: promptLogprobs ? 1 : this.#init.prefillChunk,
      endTokens: [...endTokens],
      sampling,
      leaseMs: this.#limits.sessionLeaseMs,
      logprobs,
      topLogprobs,
      workClass,
      ...(index === count - 1 ? this.#lastStageFields() : {})
    }
  }

  /** The next hop's address as the stage that dials it can reach it. */
  #nextHop(stage: StagePlacement, next: NodeAddress | undefined): NodeAddress | undefined {
    return next && (this.#components.addressOf(next.peerId, stage.peerId) ?? next)
  }

  /** Fields for the last stage only, which samples. */
  #lastStageFields(): Pick<
    OpenSession,
    'constraint' | 'promptTokens' | 'promptLogprobs' | 'tellWithinMs' | 'tokensMin'
  > {
    const { constraint, prompt, sampling, promptLogprobs, watched, tokensMin } = this.#init
    const needsPrompt = promptLogprobs || sampling.repetitionPenalty !== undefined
    return {
      ...(constraint === undefined ? {} : { constraint }),
      ...(needsPrompt ? { promptTokens: prompt } : {}),
      ...(promptLogprobs ? { promptLogprobs } : {}),
      ...(tokensMin === 0 ? {} : { tokensMin }),
      ...(watched ? {} : { tellWithinMs: this.#limits.tellWithinMs })
    }
  }

  /** A prompt that cannot be sent ends the control stream, and that is reported. */
  #sendPrompt(): void {
    const { prompt } = this.#init
    void this.#controls[0]?.send({
      type: 'prompt',
      session: this.#session,
      epoch: this.#state.epoch,
      tokens: prompt
    })
    const waitMs = this.#limits.firstTokenMs + prompt.length * this.#limits.promptTokenMs
    this.#watch(waitMs, 'no first token came')
  }

  #onFrame(stageIndex: number, frame: StageFrame): void {
    if (this.#closed !== undefined) return
    try {
      const step = this.#state.admit(stageIndex, frame)
      if (step?.type === 'opened') this.#opened.resolve()
      if (step?.type === 'token') this.#onToken(step.sampled)
      if (step?.type === 'scores') this.#onScores(step.scores)
    } catch (error) {
      this.#onStageFault(stageIndex, MeshError.from(error))
    }
  }

  /**
   * A stage that lost its neighbour may be the second or third in a row of falling stages. Whose stream ends without
   * a fault is the one that died: a moment is given for that to show.
   */
  #onStageFault(stageIndex: number, error: MeshError): void {
    const stage = this.#init.route.stages[stageIndex]
    if (stage === undefined) return
    this.#faulted.add(stageIndex)
    if (!isNeighbourLoss(error)) this.fail(stageFault(stage, error))
    if (this.#error !== undefined || this.#faulted.size > 1) return
    this.#scheduler.clear(this.#watchdog)
    this.#watchdog = this.#scheduler.setTimeout(() => this.fail(stageFault(stage, error)), this.#limits.lossGraceMs)
  }

  #onScores(scores: PromptScores): void {
    this.#results.push(scores)
    this.#wake?.resolve()
    if (this.#faulted.size === 0) this.#watchdog?.refresh()
  }

  #onToken(sampled: Sampled): void {
    // the frame's bytes belong to the stream's buffer and are not kept
    this.#results.push(sampled)
    this.#wake?.resolve()
    if (this.#state.phase === 'ended') this.#scheduler.clear(this.#watchdog)
    else if (this.#faulted.size > 0) return
    else if (this.#state.tokens.length === 1) this.#watch(this.#limits.nextTokenMs, 'no further token came')
    else this.#watchdog?.refresh()
  }

  #onStageEnd(stage: StagePlacement, index: number, error: MeshError | undefined): void {
    if (this.#closed !== undefined || this.#state.phase === 'ended' || this.#faulted.has(index)) return
    const ownFault = error?.code === 'protocol_violation' || error?.code === 'frame_too_large'
    this.fail(ownFault && error !== undefined ? stageFault(stage, error) : stageLost(stage, 'was lost', error))
  }

  #onNodeLeft(peerId: string): void {
    const stage = this.#init.route.stages.find(one => one.peerId === peerId)
    if (stage !== undefined && this.#state.phase !== 'ended') this.fail(stageLost(stage, 'left the mesh'))
  }

  #watch(ms: number, what: string): void {
    this.#scheduler.clear(this.#watchdog)
    const peers = this.#init.route.stages.map(stage => stage.peerId).join(' ')
    this.#watchdog = this.#scheduler.setTimeout(() => {
      this.fail(
        new MeshError('node_lost', `${what} within ${ms} ms from the route of ${peers}`, {
          hint: 'A node of the route is stuck; send the request again.'
        })
      )
    }, ms)
  }

  #address(stage: StagePlacement): NodeAddress {
    const address = this.#components.addressOf(stage.peerId)
    if (address === undefined) throw stageLost(stage, 'left the mesh')
    return address
  }
}
