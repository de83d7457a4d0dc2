import {
  type AbortOptions,
  batchPlaces,
  MeshError,
  type Route,
  type Scheduler,
  systemScheduler,
  type WorkClass,
  type WorkOptions
} from '@resultity/interface'
import type { PlaceableModel, Placement, PlacementDirector, RouteConstraints } from '@resultity/placement'
import { BATCH_PATIENCE } from './batch-patience.ts'

/** One slot on every stage of one placement. Dispose when the stages have confirmed that the session ended. */
export interface RouteLease extends Disposable {
  readonly route: Route
  readonly placement: Placement
}

export interface LeaseOptions extends WorkOptions {
  /** The answer has begun and lost its route: it goes before answers that have not begun. Default false. */
  readonly resumes?: boolean
}

export interface RouteLeasesInit {
  readonly waitersMax: number
  readonly placementWaitMs: number
  readonly slotWaitMs: number
}

interface Waiter {
  readonly model: PlaceableModel
  readonly routing: RouteConstraints
  readonly workClass: WorkClass
  readonly resumes: boolean
  settle(outcome: RouteLease | MeshError): void
}

/**
 * Gives each generation a slot on a ready placement. Generations that find none wait in a queue.
 *
 * The queue is bounded in length and in time. Answers that lost their route go first, then new ones, then batch work;
 * within each of these, requests are served in order of arrival. Batch work never gets the last slots of a placement, because
 * one interactive answer may take several. Any event that may change the outcome (a slot freed, a placement ready or
 * broken) re-examines the queue.
 */
export class RouteLeases implements Disposable {
  readonly #director: PlacementDirector
  readonly #scheduler: Scheduler
  readonly #init: RouteLeasesInit
  readonly #waiters = new Set<Waiter>()
  /** Slots that batch work holds. */
  readonly #batchSlots = new Map<Placement, number>()
  readonly #stopListening: () => void
  #serving = false

  constructor(director: PlacementDirector, init: RouteLeasesInit, scheduler: Scheduler = systemScheduler) {
    this.#director = director
    this.#scheduler = scheduler
    this.#init = init
    this.#stopListening = director.onChange(() => this.#serve())
  }

  /** Requests in line. */
  get waiting(): number {
    return this.#waiters.size
  }

  /**
   * Resolves once a slot on every stage is this caller's.
   *
   * @param routing default: any placement of the general pool
   * @throws MeshError `resource_exhausted` when the line is full or no slot came free in time, `unavailable` when the
   * placement did not get ready in time, `layers_missing` when there can be none; the signal's reason
   */
  async lease(model: PlaceableModel, routing: RouteConstraints = {}, options: LeaseOptions = {}): Promise<RouteLease> {
    const { signal, workClass = 'interactive', resumes = false } = options
    signal?.throwIfAborted()
    const ahead = [...this.#waiters].some(
      waiter =>
        waiter.model === model && isSame(waiter.routing, routing) && turn(waiter) <= turn({ workClass, resumes })
    )
    const choice = this.#director.choose(model, routing)
    if (choice.type === 'error') throw choice.error
    if (choice.type === 'ready' && !ahead && this.#mayTake(choice.placement, workClass)) {
      return this.#take(choice.placement, workClass)
    }
    // no more answers have begun than there are slots
    if (this.#waiters.size >= this.#init.waitersMax && !resumes) {
      throw new MeshError('resource_exhausted', `${this.#waiters.size} requests wait already`, {
        hint: 'Try again in a few seconds.'
      })
    }
    return this.#wait(model, routing, choice.type === 'loading', options)
  }

  /**
   * Whether a generation should leave its placement `left` for another: one is ready, or `left` has broken and will not
   * carry it to its end. Makes no placement.
   */
  hasRoute(left: Placement, model: PlaceableModel, routing: RouteConstraints = {}): boolean {
    return left.state === 'broken' || left.state === 'released' || this.#director.isReady(model, routing)
  }

  /** The listener hears when the answers on a placement are to go on elsewhere. @returns stops listening */
  onHandover(listener: (placementId: string, peerId: string) => void): () => void {
    return this.#director.onHandover(listener)
  }

  /** Resolves when `placement` serves no longer, or after `ms`, whichever comes first. */
  async untilBroken(placement: Placement, ms: number, options: AbortOptions = {}): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onChange = (): void => {
      if (placement.state !== 'ready') resolve()
    }
    const onAbort = (): void => reject(MeshError.from(options.signal?.reason, 'canceled'))
    const timer = this.#scheduler.setTimeout(resolve, ms)
    const stopListening = this.#director.onChange(onChange)
    options.signal?.addEventListener('abort', onAbort, { once: true })
    try {
      onChange()
      if (options.signal?.aborted === true) onAbort()
      await promise
    } finally {
      this.#scheduler.clear(timer)
      stopListening()
      options.signal?.removeEventListener('abort', onAbort)
    }
  }

  [Symbol.dispose](): void {
    this.#stopListening()
    for (const waiter of this.#waiters) waiter.settle(new MeshError('unavailable', 'the coordinator is stopping'))
  }

  #wait(
    model: PlaceableModel,
    routing: RouteConstraints,
    loading: boolean,
    { signal, workClass = 'interactive', resumes = false }: LeaseOptions
  ): Promise<RouteLease> {
    const { promise, resolve, reject } = Promise.withResolvers<RouteLease>()
    const { placementWaitMs, slotWaitMs } = this.#init
    const waitMs = loading ? placementWaitMs : workClass === 'batch' ? slotWaitMs * BATCH_PATIENCE : slotWaitMs
    const timer = this.#scheduler.setTimeout(() => waiter.settle(timeUp(model, loading, waitMs)), waitMs)
    const onAbort = (): void => waiter.settle(MeshError.from(signal?.reason, 'canceled'))
    const waiter: Waiter = {
      model,
      routing,
      workClass,
      resumes,
      settle: outcome => {
        this.#scheduler.clear(timer)
        signal?.removeEventListener('abort', onAbort)
        this.#waiters.delete(waiter)
        if (outcome instanceof MeshError) reject(outcome)
        else resolve(outcome)
      }
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#waiters.add(waiter)
    return promise
  }

  /** Goes through the queue once, in order. A choice may make placements, which calls this again: that call does nothing. */
  #serve(): void {
    if (this.#serving) return
    this.#serving = true
    try {
      for (const waiter of [...this.#waiters].sort((a, b) => turn(a) - turn(b))) {
        const choice = this.#director.choose(waiter.model, waiter.routing)
        if (choice.type === 'error') waiter.settle(choice.error)
        else if (choice.type === 'ready' && this.#mayTake(choice.placement, waiter.workClass)) {
          waiter.settle(this.#take(choice.placement, waiter.workClass))
        }
      }
    } finally {
      this.#serving = false
    }
  }

  #mayTake(placement: Placement, workClass: WorkClass): boolean {
    return workClass === 'interactive' || this.#batchTaken(placement) < batchPlaces(placement.model.sessionsMax)
  }

  #batchTaken(placement: Placement): number {
    return this.#batchSlots.get(placement) ?? 0
  }

  #take(placement: Placement, workClass: WorkClass): RouteLease {
    this.#director.takeSlot(placement)
    if (workClass === 'batch') this.#batchSlots.set(placement, this.#batchTaken(placement) + 1)
    let held = true
    return {
      placement,
      route: placement.route,
      [Symbol.dispose]: () => {
        if (!held) return
        held = false
        if (workClass === 'batch') this.#batchFreed(placement)
        this.#director.freeSlot(placement)
      }
    }
  }

  #batchFreed(placement: Placement): void {
    const left = this.#batchTaken(placement) - 1
    if (left > 0) this.#batchSlots.set(placement, left)
    else this.#batchSlots.delete(placement)
  }
}

/** Place in the order: smaller numbers go first, equal ones by their arrival. */
function turn({ workClass, resumes }: Pick<Waiter, 'workClass' | 'resumes'>): number {
  return (workClass === 'batch' ? 2 : 0) + (resumes ? 0 : 1)
}

function timeUp(model: PlaceableModel, loading: boolean, waitMs: number): MeshError {
  return loading
    ? new MeshError('unavailable', `${model.name} was not placed on nodes within ${waitMs} ms`, {
        hint: 'Nodes are still fetching or building their layers; GET /v1/mesh/placements shows how far they are.'
      })
    : new MeshError('resource_exhausted', `no slot for ${model.name} came free within ${waitMs} ms`, {
        hint: 'All slots are busy; try again later, or add nodes.'
      })
}

function isSame(a: RouteConstraints, b: RouteConstraints): boolean {
  return a.stages === b.stages && (a.pool?.key ?? '') === (b.pool?.key ?? '')
}
