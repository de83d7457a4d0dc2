import type { NodePool, PoolSource } from './node-pool.ts'
import type { PlaceableModel } from './placeable-model.ts'
import { keyOf } from './placement-table.ts'

/** What is to be placed where. */
export interface Target {
  readonly model: PlaceableModel
  readonly pool: NodePool
}

/** What should have a placement: every model for everybody, what subclouds name, what was asked for in the others. */
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

  /** What has a placement before anybody asks for it. */
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

  /** What was asked for, until it is forgotten. */
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

  /** Forgets what was asked for in subclouds that are no more. */
  prune(): void {
    for (const target of this.asked()) if (!this.#pools.has(target.pool)) this.forget(target)
  }
}
