import { type AbortOptions, MeshError, type Route, systemScheduler } from '@resultity/interface'
import { computeAlike, type NodeLosses, type Placement, type PlacementKernels } from '@resultity/placement'
import type { PromptScores, Sampled } from '@resultity/wire'
import { RecoveryState, type RecoveryStep, type Reroutes, type ResumedAnswer } from './recovery-state.ts'
import type { RouteLease } from './route-leases.ts'
import { RouteSession } from './route-session.ts'
import type { RouteSessionComponents, RouteSessionInit, RouteSessionLimits } from './route-session-init.ts'

export interface LastingSessionComponents extends RouteSessionComponents {
  /** A slot on every stage of a route; `resumes`: the answer has begun. */
  lease(options: AbortOptions & { readonly resumes: boolean }): Promise<RouteLease>
  /** Whether the answer should leave this placement, which takes no new ones, for another. */
  hasRoute(left: Placement): boolean
  /** The listener hears when the answers on a placement are to go on elsewhere. @returns stops listening */
  onHandover(listener: (placementId: string, peerId: string) => void): () => void
  /** Resolves when `placement` serves no longer, or after a while. */
  untilBroken(placement: Placement, options: AbortOptions): Promise<void>
}

export interface LastingSessionInit {
  /** The same on every route: exactness needs the same prefill steps. */
  readonly answer: Omit<RouteSessionInit, 'route' | 'session' | 'epoch' | 'committed' | 'keeps' | 'prefix'>
  /** Names of what the stages of a route may keep of the prompt. Default: they keep nothing. */
  readonly prefixNames?: (route: Route) => readonly string[]
  readonly limits: RouteSessionLimits
  /** How many routes are tried before the first one opens. */
  readonly attemptsMax: number
  /** How long to try for a slot on a stage whose slots are all taken, each time that one is needed. */
  readonly slotWaitMs: number
  /** Counts the nodes that are lost during the session. */
  readonly losses?: NodeLosses | undefined
  /** What the client was told before, when another process has begun the answer, and whose kernels made it. */
  readonly resumed?: (ResumedAnswer & { readonly kernels: PlacementKernels }) | undefined
}

/** The wait between two tries at a stage whose slots are all taken: nothing tells when one comes free. */
const SLOT_RETRY_MS = 250

interface HeldRoute {
  readonly lease: RouteLease
  readonly session: RouteSession
}

/**
 * One answer, on as many routes as it takes. When a route is lost, this leases another and opens it with a higher epoch.
 * The new route runs the prompt and the tokens again and goes on. The reader sees a pause.
 *
 * To the reader it is like a single {@link RouteSession}. It owns its leases: it gives each back when the stages have
 * confirmed that the session ended.
 */
export class LastingSession {
  readonly #components: LastingSessionComponents
  readonly #init: LastingSessionInit
  readonly #session: Uint8Array
  readonly #state: RecoveryState
  /** Aborts with what ended the answer. */
  readonly #ended = new AbortController()
  readonly #stopListening: () => void
  #held: HeldRoute | undefined
  /** Resolves when the stages of the last route that was left have confirmed it. */
  #left: Promise<void> = Promise.resolve()
  #route: Route | undefined
  #kept = 0
  /** Of the placement that made the beginning of the answer; undefined until the client was told some of it. */
  #first: PlacementKernels | undefined
  /** When the wait for a slot is given up. */
  #slotWaitEndsMs: number | undefined

  constructor(components: LastingSessionComponents, init: LastingSessionInit) {
    this.#components = components
    this.#session = (components.scheduler ?? systemScheduler).randomBytes(16)
    this.#init = init
    this.#state = new RecoveryState(init)
    this.#first = init.resumed?.kernels
    this.#stopListening = components.onHandover((placementId, peerId) => this.#handOver(placementId, peerId))
  }

  /** The route that serves, or served last. Only once {@link open} has resolved. */
  get route(): Route {
    if (this.#route === undefined) throw new MeshError('internal', 'the answer has no route yet')
    return this.#route
  }

  /** Of the placement that made the beginning of the answer. Only once that was told. */
  get kernels(): PlacementKernels {
    if (this.#first === undefined) throw new MeshError('internal', 'the answer has no beginning yet')
    return this.#first
  }

  /** Positions of the prompt that the first route had kept from earlier answers. */
  get kept(): number {
    return this.#kept
  }

  get reroutes(): Reroutes {
    return this.#state.reroutes
  }

  /**
   * Takes a slot on every stage of a route, and sends the prompt off.
   *
   * @throws MeshError as {@link RouteLeases.lease} and {@link RouteSession.open} do, when there is no other route to try
   */
  open(): Promise<void> {
    return this.#reach()
  }

  /**
   * The next scores of the prompt, where they were asked for, then the next sampled token; undefined after the last one.
   * @throws MeshError what ended the answer
   */
  async next(): Promise<PromptScores | Sampled | undefined> {
    for (;;) {
      this.#ended.signal.throwIfAborted()
      const held = this.#held
      if (held === undefined) throw new MeshError('internal', 'an answer was read that is not open')
      try {
        const result = await held.session.next()
        const told = result === undefined ? undefined : this.#state.take(result)
        if (told !== undefined) this.#first ??= held.lease.placement
        if (told?.type === 'sampled') this.#init.losses?.gotFurther()
        if (result === undefined || told !== undefined) return told
      } catch (error) {
        await this.#recover(held, MeshError.from(error))
      }
    }
  }

  /** Ends the answer with `error`: a waiting `next` rejects with it, and all slots are freed. */
  fail(error: MeshError): void {
    if (this.#ended.signal.aborted) return
    this.#ended.abort(error)
    this.#held?.session.fail(error)
  }

  /** Resolves once every stage has confirmed, or was cut off, within the deadline for that. Never rejects. */
  async close(reason: string): Promise<void> {
    this.#stopListening()
    if (!this.#ended.signal.aborted) this.#ended.abort(new MeshError('canceled', reason))
    this.#leave(reason)
    await this.#left
  }

  /** A node of the route is about to leave. The answer leaves the route before that, unless it has nowhere to go. */
  #handOver(placementId: string, peerId: string): void {
    const held = this.#held
    if (held?.lease.placement.id !== placementId || held.session.ended) return
    if (!this.#components.hasRoute(held.lease.placement)) return
    const what = `node ${peerId} is about to leave; its answers go on elsewhere`
    held.session.fail(new MeshError('node_draining', what, { details: { peerId, placementId } }))
  }

  async #recover(lost: HeldRoute, error: MeshError): Promise<void> {
    this.#ended.signal.throwIfAborted()
    const step = this.#lost(error)
    if (step.type === 'give_up') throw step.error
    this.#leave('its route was lost')
    await this.#awaitBreak(step, lost.lease)
    await this.#reach(error)
  }

  /**
   * Leases and opens routes until one is open.
   *
   * @param lost how the last route ended, when the answer has begun. The client is told this error if there is no other route
   */
  async #reach(lost?: MeshError): Promise<void> {
    const lease = await this.#lease(lost)
    try {
      // a stage that is part of the new route too has then freed the slot
      await this.#left
      await this.#open(lease)
    } catch (cause) {
      lease[Symbol.dispose]()
      this.#ended.signal.throwIfAborted()
      const error = MeshError.from(cause)
      const step = this.#lost(error)
      if (step.type === 'give_up') throw step.error
      await this.#awaitBreak(step, lease)
      await this.#reach(lost === undefined ? undefined : error)
    }
  }

  async #lease(lost: MeshError | undefined): Promise<RouteLease> {
    const { signal } = this.#ended
    try {
      return await this.#components.lease({ signal, resumes: this.#state.phase === 'recovering' })
    } catch (error) {
      signal.throwIfAborted()
      throw lost ?? error
    }
  }

  async #open(lease: RouteLease): Promise<void> {
    const { signal } = this.#ended
    const { answer, limits } = this.#init
    const { epoch, committed, keeps } = this.#state
    const route = { route: lease.route, session: this.#session, epoch, committed: [...committed], keeps }
    const init = { ...answer, ...route, ...this.#prefixOf(lease.route) }
    const session = await RouteSession.open(this.#components, limits, init, { signal })
    this.#held = { lease, session }
    this.#slotWaitEndsMs = undefined
    if (this.#route === undefined) this.#kept = session.kept
    this.#route = lease.route
    this.#state.opened(this.#first === undefined || computeAlike(this.#first, lease.placement))
    // it ended while the last stage answered; the reader learns of it
    if (signal.aborted) this.#leave('the answer ended')
  }

  /** A route that takes another's place begins with nothing: what went wrong may have left its mark on what was kept. */
  #prefixOf(route: Route): Pick<RouteSessionInit, 'prefix'> {
    const blocks = this.#init.prefixNames?.(route) ?? []
    return blocks.length === 0 ? {} : { prefix: { blocks, afresh: this.#route !== undefined } }
  }

  async #awaitBreak(step: RecoveryStep, { placement }: RouteLease): Promise<void> {
    const { signal } = this.#ended
    if (step.type === 'give_up') return
    const { scheduler = systemScheduler } = this.#components
    if (step.awaitsSlot === true) await scheduler.sleep(SLOT_RETRY_MS, { signal })
    if (step.awaitsBreak) await this.#components.untilBroken(placement, { signal })
  }

  #lost(error: MeshError): RecoveryStep {
    const told = this.#init.losses?.told(error) ?? error
    if (told !== error) return this.#state.giveUp(MeshError.from(told))
    const step = this.#state.lost(error)
    return step.type === 'reopen' && step.awaitsSlot === true && this.#hasWaited() ? this.#state.giveUp(error) : step
  }

  /** Whether the answer has waited for a slot for as long as it may. */
  #hasWaited(): boolean {
    const { scheduler = systemScheduler } = this.#components
    this.#slotWaitEndsMs ??= scheduler.monotonic() + this.#init.slotWaitMs
    return scheduler.monotonic() >= this.#slotWaitEndsMs
  }

  /** Gives up the route that is held. */
  #leave(reason: string): void {
    const held = this.#held
    if (held === undefined) return
    this.#held = undefined
    this.#left = held.session.close(reason).finally(() => held.lease[Symbol.dispose]())
  }
}
