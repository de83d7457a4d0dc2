import { MeshError, REGION_LABEL, type SubcloudDefinition } from '@resultity/interface'
import type { NodeRecord } from '../membership/node-registry.ts'

/** A named subset of nodes. */
export interface Subcloud {
  readonly name: string
  readonly definition: SubcloudDefinition
  /** Who defined it. The API cannot change a subcloud of the configuration. */
  readonly source: 'configuration' | 'api'
}

/** The parts of a node's record that decide which subclouds it belongs to. */
export type Member = Pick<NodeRecord, 'peerId' | 'advert'>

/** Whether all is true of a node that the definition says. */
export function hasNode({ labels = {}, region, nodes }: SubcloudDefinition, { peerId, advert }: Member): boolean {
  const wanted = Object.entries({ ...labels, ...(region === undefined ? {} : { [REGION_LABEL]: region }) })
  return wanted.every(([name, value]) => labelOf(advert, name) === value) && (nodes?.includes(peerId) ?? true)
}

/** @returns undefined where a node has no such label */
export function labelOf({ labels }: Member['advert'], name: string): string | undefined {
  return Object.hasOwn(labels, name) ? labels[name] : undefined
}

/** The subclouds that there are: the configuration's, and those made over the API. */
export class Subclouds {
  readonly #configured: ReadonlyMap<string, Subcloud>
  readonly #listeners = new Set<() => void>()
  #all: ReadonlyMap<string, Subcloud>

  constructor(configured: Readonly<Record<string, SubcloudDefinition>> = {}) {
    this.#configured = new Map(
      Object.entries(configured).map(([name, definition]) => [name, { name, definition, source: 'configuration' }])
    )
    this.#all = this.#configured
  }

  /** All subclouds, ordered by name. */
  list(): readonly Subcloud[] {
    return [...this.#all.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  get(name: string): Subcloud | undefined {
    return this.#all.get(name)
  }

  /** @throws MeshError `not_found` naming those that there are */
  find(name: string): Subcloud {
    const found = this.#all.get(name)
    if (found !== undefined) return found
    const names = this.list().map(one => `"${one.name}"`)
    const hint = names.length === 0 ? 'None is defined here.' : `There are ${names.join(', ')}.`
    throw new MeshError('not_found', `there is no subcloud "${name.slice(0, 64)}"`, {
      hint,
      details: { param: 'mesh.subcloud', reason: 'subcloud_not_found' }
    })
  }

  /** Subclouds that a node is of. */
  of(node: Member): readonly Subcloud[] {
    return this.list().filter(({ definition }) => hasNode(definition, node))
  }

  /** Whether a node serves only its subclouds. */
  isolates(node: Member): boolean {
    for (const { definition } of this.#all.values()) {
      if (definition.isolated === true && hasNode(definition, node)) return true
    }
    return false
  }

  /** Replaces all definitions of the API. Where both name a subcloud, the configuration wins. */
  define(definitions: readonly { readonly name: string; readonly definition: SubcloudDefinition }[]): void {
    const stored = definitions.map(({ name, definition }) => [name, { name, definition, source: 'api' }] as const)
    const all = new Map<string, Subcloud>([...stored, ...this.#configured])
    if (JSON.stringify([...all]) === JSON.stringify([...this.#all])) return
    this.#all = all
    for (const listener of this.#listeners) listener()
  }

  /** @returns stops listening */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
