import { type Clock, MeshError, type OfferedModel } from '@resultity/interface'
import type { NodePool, NodeRecord, NodeRegistry } from '@resultity/placement'

/** A model that nodes have of servers beside them. */
export interface UpstreamModel {
  readonly id: string
  /** The least of what its nodes say; undefined where none says anything. */
  readonly contextLength: number | undefined
  /** What may be asked of it on some node. */
  readonly endpoints: readonly string[]
  /** Unix seconds since when this coordinator knows of it. */
  readonly createdAt: number
  readonly offers: readonly Offer[]
}

/** One node that has it. */
export interface Offer {
  readonly node: NodeRecord
  readonly model: OfferedModel
}

/** A place on a node for one request, until it is disposed of. */
export interface OfferedPlace extends Disposable {
  readonly peerId: string
}

export interface PlaceWanted {
  readonly model: string
  readonly endpoint: string
  readonly pool: NodePool
  /** Nodes that have failed. */
  readonly without: ReadonlySet<string>
}

export interface OfferedModelsComponents {
  readonly registry: NodeRegistry
  readonly clock: Clock
}

/** Names that are remembered once no node has them, so that a job of one waits and does not fail. */
const NAMES_MAX = 4096

/** The models that nodes have of servers beside them, from their adverts. */
export class OfferedModels {
  readonly #components: OfferedModelsComponents
  /** Requests at work by node and model. */
  readonly #running = new Map<string, number>()
  /** Unix seconds since when a name is known. */
  readonly #known = new Map<string, number>()
  readonly #listeners = new Set<() => void>()
  #models: ReadonlyMap<string, UpstreamModel> | undefined

  constructor(components: OfferedModelsComponents) {
    this.#components = components
    components.registry.onChange(change => {
      if (this.#models?.size === 0 && change.node.advert.offered === undefined) return
      this.#models = undefined
      this.#changed()
    })
  }

  /** Those of a pool's nodes, by name. */
  list(pool: NodePool): readonly UpstreamModel[] {
    const here = [...this.#all().values()].map(model => ({ ...model, offers: this.#offersIn(model.id, pool) }))
    return here.filter(({ offers }) => offers.length > 0).toSorted((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** Whether there are any. */
  get some(): boolean {
    return this.#all().size > 0
  }

  /** What to say of a name to who asks for a model of the mesh itself. */
  elsewhere(name: string): MeshError | undefined {
    if (!this.isKnown(name)) return undefined
    const asked = this.get(name)?.endpoints.join(' or ')
    return new MeshError('invalid_request', `the model "${name}" is one of a server beside a node`, {
      hint: asked === undefined ? 'No node has it now. Try again in a moment.' : `Ask it by ${asked}.`,
      details: { param: 'model' }
    })
  }

  get(name: string): UpstreamModel | undefined {
    return this.#all().get(name)
  }

  /** Whether a node has it, or has had it. */
  isKnown(name: string): boolean {
    return this.#all().has(name) || this.#known.has(name)
  }

  /** Requests that the nodes of a pool take at once. */
  places(name: string, pool: NodePool): number {
    return this.#offersIn(name, pool).reduce((sum, { model }) => sum + model.jobsMax, 0)
  }

  /** @throws MeshError why no node of the pool serves it now */
  requireOffer({ model, endpoint, pool }: Omit<PlaceWanted, 'without'>): void {
    const offers = this.#offersIn(model, pool)
    if (offers.some(offer => offer.model.endpoints.includes(endpoint))) return
    if (offers.length > 0) {
      throw new MeshError('invalid_request', `the model "${model}" is not asked by ${endpoint}`, {
        hint: `Ask it by ${this.get(model)?.endpoints.join(' or ')}.`,
        details: { param: 'model' }
      })
    }
    throw new MeshError('unavailable', `no node${pool.where} has the model "${model}" now`, {
      hint: 'It is one of a server beside a node, which has gone or does not answer. Try again in a moment.'
    })
  }

  /**
   * A place on the node that is used least for its size. A node that all its places are taken of is used as well: its jobs
   * are counted by lanes, and it may have made room by the time.
   *
   * @throws MeshError as {@link requireOffer} does; undefined: all that have it have failed
   */
  take(wanted: PlaceWanted): OfferedPlace | undefined {
    this.requireOffer(wanted)
    const { model, endpoint, pool, without } = wanted
    const able = this.#offersIn(model, pool).filter(
      offer => offer.model.endpoints.includes(endpoint) && !without.has(offer.node.peerId)
    )
    const [least] = able.toSorted((a, b) => this.#used(a) - this.#used(b))
    if (least === undefined) return undefined
    const key = keyOf(least.node.peerId, model)
    this.#running.set(key, (this.#running.get(key) ?? 0) + 1)
    return { peerId: least.node.peerId, [Symbol.dispose]: () => this.#leave(key) }
  }

  /** @returns stops listening */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #offersIn(name: string, pool: NodePool): readonly Offer[] {
    const offers = this.#all().get(name)?.offers ?? []
    return offers.filter(({ node }) => node.advert.draining !== true && pool.admits(node))
  }

  #used({ node: { peerId }, model: { name, jobsMax } }: Offer): number {
    return (this.#running.get(keyOf(peerId, name)) ?? 0) / jobsMax
  }

  #leave(key: string): void {
    const left = (this.#running.get(key) ?? 1) - 1
    if (left === 0) this.#running.delete(key)
    else this.#running.set(key, left)
    this.#changed()
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }

  #all(): ReadonlyMap<string, UpstreamModel> {
    this.#models ??= this.#read()
    return this.#models
  }

  #read(): ReadonlyMap<string, UpstreamModel> {
    const offers = new Map<string, Offer[]>()
    for (const node of this.#components.registry.list()) {
      for (const model of node.advert.offered ?? []) {
        const others = offers.get(model.name)
        if (others === undefined) offers.set(model.name, [{ node, model }])
        else if (others.every(other => other.node !== node)) others.push({ node, model })
      }
    }
    return new Map([...offers].map(([id, found]) => [id, this.#model(id, found)]))
  }

  #model(id: string, offers: readonly Offer[]): UpstreamModel {
    const lengths = offers.flatMap(({ model }) => model.contextLength ?? [])
    return {
      id,
      contextLength: lengths.length === 0 ? undefined : Math.min(...lengths),
      endpoints: [...new Set(offers.flatMap(({ model }) => model.endpoints))],
      createdAt: this.#since(id),
      offers
    }
  }

  #since(id: string): number {
    const since = this.#known.get(id) ?? Math.floor(this.#components.clock.now() / 1000)
    // the last that came is the last to be forgotten
    this.#known.delete(id)
    this.#known.set(id, since)
    const [oldest] = this.#known.keys()
    if (this.#known.size > NAMES_MAX && oldest !== undefined) this.#known.delete(oldest)
    return since
  }
}

function keyOf(peerId: string, model: string): string {
  return `${peerId} ${model}`
}
