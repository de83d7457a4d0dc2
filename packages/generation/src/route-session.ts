import {
  type AbortOptions,
  MeshError,
  type Scheduler,
  type StagePlacement,
  systemScheduler,
  type Timer,
  withDeadline
} from '@resultity/interface'
import type { CloseSession, LinkFault, PromptScores, Replayed, ResumeOrder, Sampled, StageFrame } from '@resultity/wire'
import { GenerationState, type GenerationStateInit } from './generation-state.ts'
import { keepPositionsOf, openFrame, resumeShapeOf } from './open-frame.ts'
import { leavesCaches } from './resume-plan.ts'
import { RouteFaults } from './route-faults.ts'
import { RoutePulse } from './route-pulse.ts'
import type { RouteSessionComponents, RouteSessionInit, RouteSessionLimits } from './route-session-init.ts'
import { type LossFacts, type NodeAddress, StageControl, stageLost } from './stage-control.ts'

/** Longest wait for a node to have looked at one piece of a picture. */
const PIECE_MS = 30_000

/** What a route says of an answer. */
export type RouteResult = PromptScores | Replayed | Sampled

/**
 * One generation on one route: control streams to all stages, sampled tokens from the last.
 *
 * `open` resolves when every stage has taken its slot. Tokens are then read with `next`. Whatever goes wrong (a
 * stream ends, a stage reports a fault or breaks the protocol, a node leaves, no token comes in time) ends the whole
 * session once, with the first error; `close` frees every slot and may be called at any time.
 */
export class RouteSession {
  readonly #components: RouteSessionComponents
  readonly #scheduler: Scheduler
  readonly #limits: RouteSessionLimits
  readonly #init: RouteSessionInit
  readonly #state: GenerationState
  readonly #controls: StageControl[] = []
  /** Resolves when all stages are open. */
  readonly #opened = Promise.withResolvers<void>()
  #kept = 0
  /** What stages are told that wait for it, by their index. */
  #resume: ReadonlyMap<number, ResumeOrder> = new Map()
  /** Results that were not read yet: no more than the prompt and `tokensMax`, which the context bounds. */
  readonly #results: RouteResult[] = []
  readonly #stopListening: () => void
  #wake: PromiseWithResolvers<void> | undefined
  #watchdog: Timer | undefined
  readonly #pulse: RoutePulse
  readonly #faults: RouteFaults
  #error: MeshError | undefined
  #closed: Promise<void> | undefined

  private constructor(components: RouteSessionComponents, limits: RouteSessionLimits, init: RouteSessionInit) {
    this.#components = components
    this.#scheduler = components.scheduler ?? systemScheduler
    this.#limits = limits
    this.#init = init
    this.#state = new GenerationState({
      session: init.session,
      epoch: init.epoch,
      committed: init.committed,
      stageCount: init.route.stages.length,
      promptCount: init.prompt.length,
      tokensMax: init.tokensMax,
      endTokens: init.endTokens,
      tokensMin: init.tokensMin,
      promptLogprobs: init.promptLogprobs,
      ...prefixSizes(init),
      ...resumeSizes(init),
      vocabularySize: init.vocabularySize,
      topLogprobs: init.logprobs || init.promptLogprobs ? init.topLogprobs : undefined
    })
    this.#pulse = new RoutePulse({
      scheduler: this.#scheduler,
      stageCount: init.route.stages.length,
      answerMs: limits.probeAnswerMs,
      tellWithinMs: init.watched ? 0 : limits.tellWithinMs,
      probe: nonce => this.#probe(nonce),
      gone: stages => this.#onGone(stages),
      linkSilent: (from, to) => this.#faults.linkSilent(from, to)
    })
    const { placementId } = init.route
    this.#faults = new RouteFaults({
      route: init.route,
      scheduler: this.#scheduler,
      lossGraceMs: limits.lossGraceMs,
      isThere: index => this.#controls[index] !== undefined,
      wasOpen: () => this.#state.phase !== 'opening',
      suspect: (peerId, why) => components.suspect(peerId, placementId, why),
      suspectLink: (from, to) => components.suspectLink(from, to, placementId),
      fail: error => this.fail(error)
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
        async signal => {
          await session.#openAll(signal)
        },
        { ...options, scheduler: session.#scheduler }
      )
      session.#begin()
      return session
    } catch (error) {
      await session.close('the session could not be opened', MeshError.from(error))
      throw session.#error ?? MeshError.from(error)
    }
  }

  /**
   * The next result: prompt scores, if they were asked for; then a report that the committed tokens have run, if there are
   * some; then each sampled token. Undefined after the last token.
   *
   * @throws MeshError the error that ended the session, after all earlier results
   */
  async next(): Promise<RouteResult | undefined> {
    for (;;) {
      const result = this.#results.shift()
      if (result !== undefined) return result
      if (this.#error !== undefined) throw this.#error
      if (this.#state.phase === 'ended') return undefined
      this.#wake = Promise.withResolvers()
      await this.#wake.promise
    }
  }

  /** Positions of the prompt that are not computed: all stages have kept them. */
  get kept(): number {
    return this.#kept
  }

  /** Whether all tokens have come. */
  get ended(): boolean {
    return this.#state.phase === 'ended'
  }

  /** Ends the session with `error`: a waiting `next` rejects with it, and all slots are freed. */
  fail(error: MeshError): void {
    if (this.#error !== undefined || this.#closed !== undefined) return
    this.#error = error
    this.#opened.reject(error)
    this.#wake?.resolve()
    void this.close(error.message)
  }

  /**
   * Resolves once every stage has confirmed, or was cut off, within the deadline for that. Never rejects.
   * @param error why, if something went wrong: after some errors stages keep what they have, for another route
   */
  close(reason: string, error = this.#error): Promise<void> {
    this.#closed ??= this.#close(reason, error)
    return this.#closed
  }

  async #close(reason: string, error: MeshError | undefined): Promise<void> {
    this.#stopWaiting()
    this.#stopListening()
    const { session } = this.#init
    // a client that went away is no fault
    const keep = error === undefined || error.code === 'canceled'
    const park = error !== undefined && this.#init.route.stages.length > 1 && leavesCaches(error)
    const close: CloseSession = { type: 'close', session, reason: reason.slice(0, 256), keep, park }
    await Promise.all(this.#controls.map(control => control.end(close, this.#limits.sessionCloseMs)))
  }

  #stopWaiting(): void {
    this.#scheduler.clear(this.#watchdog)
    this.#pulse[Symbol.dispose]()
    this.#faults[Symbol.dispose]()
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
    const { sessionLeaseMs, tellWithinMs } = this.#limits
    const next = addresses[(index + 1) % addresses.length]
    const peers = {
      previous: addresses[(index + addresses.length - 1) % addresses.length],
      // as the stage that dials it can reach it
      next: next && (this.#components.addressOf(next.peerId, stage.peerId) ?? next)
    }
    await control.send(openFrame(this.#init, index, peers, { sessionLeaseMs, tellWithinMs }))
  }

  /** A prompt that cannot be sent ends the control stream, and that is reported. */
  #begin(): void {
    // the session failed while the last stage answered
    if (this.#closed !== undefined) return
    const { session, epoch, prompt, committed, pieces = [] } = this.#init
    for (const [index, order] of this.#resume) {
      void this.#controls[index]?.send({ type: 'resume', session, epoch, ...order })
    }
    void this.#sendPrompt()
    this.#pulse.begin()
    const { firstTokenMs, promptTokenMs } = this.#limits
    const waitMs = firstTokenMs + (prompt.length + committed.length) * promptTokenMs + pieces.length * PIECE_MS
    if (!this.#faults.begun) this.#watch(waitMs, 'no first token came')
  }

  /** Pictures one after the other: all of them at once would be in memory twice. */
  async #sendPrompt(): Promise<void> {
    const [first] = this.#controls
    const { session, epoch, prompt, pieces = [] } = this.#init
    for (const { position, count, pixels } of pieces) {
      if (position + count > this.#kept) await first?.send({ type: 'piece', session, epoch, position, pixels })
      if (this.#closed !== undefined) return
    }
    const kept = this.#kept > 0 ? { kept: this.#kept } : {}
    await first?.send({ type: 'prompt', session, epoch, tokens: prompt, ...kept })
  }

  /** A probe that cannot be sent gets no answer, which says enough. */
  #probe(nonce: number): void {
    const { session, epoch } = this.#init
    this.#controls.forEach(control => void control.send({ type: 'probe', session, epoch, nonce }))
  }

  #onFrame(stageIndex: number, frame: StageFrame): void {
    if (this.#closed !== undefined) return
    try {
      const step = this.#state.admit(stageIndex, frame)
      // a stage may lose its neighbour while others still open: then the session fails in a moment
      if (step?.type === 'opened' && !this.#faults.begun) {
        this.#kept = step.kept
        this.#resume = step.resume ?? this.#resume
        this.#opened.resolve()
      }
      if (step?.type === 'token') this.#onToken(step.sampled)
      if (step?.type === 'scores') this.#onProgress(step.scores)
      if (step?.type === 'replayed') this.#onProgress(step.replayed)
      if (step?.type === 'answered') this.#pulse.answered(stageIndex, step.nonce)
      if (step?.type === 'link') this.#onLinkFault(stageIndex, step.fault)
    } catch (error) {
      this.#scheduler.clear(this.#watchdog)
      // of a fault it is the stage's word what went wrong
      if (frame.type === 'fault') this.#faults.add(stageIndex, MeshError.from(error))
      else this.#faults.violated(stageIndex, MeshError.from(error))
    }
  }

  #onLinkFault(stageIndex: number, { peerId, silentMs }: LinkFault): void {
    const neighbour = this.#faults.neighbour(stageIndex, peerId)
    if (silentMs === 0) this.#faults.broke(stageIndex, neighbour)
    else this.#pulse.linkReported(stageIndex, neighbour)
  }

  /** The route makes progress towards the first token. */
  #onProgress(result: PromptScores | Replayed): void {
    this.#results.push(result)
    this.#wake?.resolve()
    this.#pulse.heard()
    if (!this.#faults.begun) this.#watchdog?.refresh()
  }

  #onToken(sampled: Sampled): void {
    // the frame's bytes belong to the stream's buffer and are not kept
    this.#results.push(sampled)
    this.#wake?.resolve()
    this.#pulse.heard()
    if (this.#state.phase === 'ended') this.#stopWaiting()
    else if (this.#faults.begun) return
    else if (this.#state.tokens.length === this.#init.committed.length + 1)
      this.#watch(this.#limits.nextTokenMs, 'no further token came')
    else this.#watchdog?.refresh()
  }

  #onStageEnd(stage: StagePlacement, index: number, error: MeshError | undefined): void {
    if (this.#closed !== undefined || this.#state.phase === 'ended' || this.#faults.has(index)) return
    const ownFault = error?.code === 'protocol_violation' || error?.code === 'frame_too_large'
    if (ownFault && error !== undefined) this.#faults.violated(index, error)
    else this.fail(stageLost(stage, 'was lost', error, this.#facts))
  }

  /** @returns false when the route can only wait for these stages */
  #onGone(indices: readonly number[]): boolean {
    const index = this.#faults.gone(indices, this.#limits.probeAnswerMs)
    if (index === undefined) return false
    // nobody is there to confirm the end of the session
    this.#controls[index]?.abort(new MeshError('node_lost', 'the node does not answer'))
    return true
  }

  #onNodeLeft(peerId: string): void {
    const stage = this.#init.route.stages.find(one => one.peerId === peerId)
    if (stage !== undefined && this.#state.phase !== 'ended')
      this.fail(stageLost(stage, 'left the mesh', undefined, this.#facts))
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

  get #facts(): LossFacts {
    return { placementId: this.#init.route.placementId }
  }

  #address(stage: StagePlacement): NodeAddress {
    const address = this.#components.addressOf(stage.peerId)
    if (address === undefined) throw stageLost(stage, 'left the mesh', undefined, { unreached: true })
    return address
  }
}

function prefixSizes({ prefix, prefillChunk }: RouteSessionInit): Pick<GenerationStateInit, 'prefix'> {
  if (prefix === undefined || prefix.afresh) return {}
  return { prefix: { blockCount: prefix.blocks.length, positions: prefillChunk } }
}

function resumeSizes(init: RouteSessionInit): Pick<GenerationStateInit, 'resume'> {
  const positionsMax = keepPositionsOf(init)
  return positionsMax === 0 ? {} : { resume: { positionsMax, prefillChunk: resumeShapeOf(init).prefillChunk } }
}
