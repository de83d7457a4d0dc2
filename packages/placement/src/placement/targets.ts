import type { NodePool, PoolSource } from './node-pool.ts'
import type { PlaceableModel } from './placeable-model.ts'
import { keyOf } from './placement-table.ts'

/** A model, and the pool to place it in. */
export interface Target {
  readonly model: PlaceableModel
  readonly pool: NodePool
}

/**
 * The models that should have a placement: every model in the general pool, the models that subclouds name, and models
 * requested in other pools.
 */
export class Targets {
  readonly #pools: PoolSource
  readonly #models: PlaceableModel[] = []
  readonly #asked = new Map<string, Target>()

  constructor(pools: PoolSource) {
    this.#pools = pools
  }

  get general(): NodePool {
    return this.#pools.general
  }

  get models(): readonly PlaceableModel[] {
    return this.#models
  }

  addModel(model: PlaceableModel): void {
    this.#models.push(model)
  }

  /** Models that get a placement without a request. */
  defaults(): Target[] {
    const everywhere = this.#models.map(model => ({ model, pool: this.#pools.general }))
    const named = this.#pools
      .standing()
      .flatMap(({ pool, serves }) => this.#models.filter(serves).map(model => ({ model, pool })))
    return [...everywhere, ...named]
  }

  isDefault({ model, pool }: Target): boolean {
    return this.defaults().some(one => one.model === model && one.pool.key === pool.key)
  }

  /** Models that were requested, until they are forgotten. */
  asked(): Target[] {
    return [...this.#asked.values()]
  }

  /** There is an end to subclouds and models, but none to what requests make up: that is not kept. */
  ask(target: Target): void {
    if (!target.pool.adHoc) this.#asked.set(keyOf(target.model, target.pool), target)
  }

  forget({ model, pool }: Target): void {
    this.#asked.delete(keyOf(model, pool))
  }

  /** Forgets requests in subclouds that do not exist any more. */
  prune(): void {
    for (const target of this.asked()) if (!this.#pools.has(target.pool)) this.forget(target)
  }
}
