import { invalidRequest, MeshError, REGION_LABEL, type SubcloudDefinition } from '@resultity/interface'
import type { NodePool, PoolSource, RouteConstraints, StandingPool } from '../placement/node-pool.ts'
import type { PlaceableModel } from '../placement/placeable-model.ts'
import type { ServedModel, ServedModels } from '../served-models.ts'
import { hasNode, labelOf, type Member, type Subcloud, type Subclouds } from './subclouds.ts'

/** Where a request wants to run: fields of its `mesh`. */
export interface Steering {
  readonly stages?: number | null | undefined
  readonly subcloud?: string | null | undefined
  readonly region?: string | null | undefined
  readonly nodes?: readonly string[] | null | undefined
}

export interface NodePoolsComponents {
  readonly subclouds: Subclouds
  readonly models: ServedModels
}

/** Makes pools of nodes: of subclouds as they are at any moment, and of what requests ask for. */
export class NodePools implements PoolSource {
  /** All nodes that no subcloud has for itself. */
  readonly general: NodePool
  readonly #components: NodePoolsComponents

  constructor(components: NodePoolsComponents) {
    this.#components = components
    this.general = {
      key: '',
      subcloud: undefined,
      adHoc: false,
      where: '',
      admits: node => !components.subclouds.isolates(node)
    }
  }

  standing(): readonly StandingPool[] {
    return this.#components.subclouds.list().flatMap(({ name, definition: { models } }) => {
      if (models === undefined) return []
      return [{ pool: this.named(name), serves: (model: PlaceableModel) => this.#isAmong(model, models) }]
    })
  }

  has({ subcloud }: NodePool): boolean {
    return subcloud === undefined || this.#components.subclouds.get(subcloud) !== undefined
  }

  /** The nodes of a subcloud; no nodes when the subcloud does not exist (any more). */
  named(name: string): NodePool {
    const { subclouds } = this.#components
    return {
      key: `subcloud ${name}`,
      subcloud: name,
      adHoc: false,
      where: ` in ${described(subclouds.get(name), name)}`,
      admits: node => {
        const definition = subclouds.get(name)?.definition
        return definition !== undefined && hasNode(definition, node)
      }
    }
  }

  /**
   * Where a request for `model` wants to run.
   * @throws MeshError `not_found` for an unknown subcloud, `model_not_found` for a model that it does not serve
   */
  routing(model: ServedModel, steering: Steering | null | undefined): RouteConstraints {
    const { subcloud } = steering ?? {}
    if (subcloud != null) this.#requireServed(model, this.#components.subclouds.find(subcloud))
    return this.#steered(steering)
  }

  /**
   * Where a request for a model that the mesh does not have itself wants to run. A subcloud that names its models serves no other.
   * @throws MeshError `not_found` for an unknown subcloud, `model_not_found` for a model that it does not serve
   */
  routingTo(name: string, steering: Steering | null | undefined): RouteConstraints & { readonly pool: NodePool } {
    const { subcloud } = steering ?? {}
    const models = subcloud == null ? undefined : this.#components.subclouds.find(subcloud).definition.models
    if (models !== undefined) throw notServed(subcloud ?? '', name, models)
    return this.#steered(steering)
  }

  #steered(steering: Steering | null | undefined): RouteConstraints & { readonly pool: NodePool } {
    const { stages, subcloud, region, nodes } = steering ?? {}
    const base = subcloud == null ? this.general : this.named(subcloud)
    return { stages: stages ?? undefined, pool: narrowed(base, region ?? undefined, nodes ?? undefined) }
  }

  #requireServed(model: ServedModel, { name, definition: { models } }: Subcloud): void {
    if (models === undefined || this.#isAmong(model.placeable, models)) return
    throw notServed(name, model.id, models)
  }

  #isAmong({ manifestSha256 }: PlaceableModel, names: readonly string[]): boolean {
    const { models } = this.#components
    return names.some(name => models.has(name) && models.find(name).placeable.manifestSha256 === manifestSha256)
  }
}

function notServed(subcloud: string, model: string, models: readonly string[]): MeshError {
  return new MeshError('model_not_found', `subcloud "${subcloud}" does not serve "${model}"`, {
    hint: `It serves ${models.join(', ')}.`,
    details: { param: 'model' }
  })
}

/** @throws MeshError `invalid_request` for a model that is named and not served */
export function requireModels(models: ServedModels, names: readonly string[] = []): void {
  const at = names.findIndex(name => !models.has(name))
  if (at === -1) return
  throw invalidRequest(
    `models[${at}]`,
    `there is no model "${names[at]}"`,
    'GET /v1/models lists those that there are.'
  )
}

/** @throws MeshError `settings_invalid` naming the subcloud of the configuration that names a model which is not served */
export function requireSubcloudModels(
  subclouds: Readonly<Record<string, SubcloudDefinition>>,
  models: ServedModels
): void {
  for (const [name, { models: names = [] }] of Object.entries(subclouds)) {
    const unknown = names.find(one => !models.has(one) && !models.hasFailed(one))
    if (unknown === undefined) continue
    throw new MeshError('settings_invalid', `the subcloud "${name}" names a model "${unknown}" that is not served`, {
      hint: `Serve it too: --model ${unknown}.`
    })
  }
}

/** The nodes of a pool that a request names. */
function narrowed(base: NodePool, region: string | undefined, nodes: readonly string[] | undefined): NodePool {
  if (region === undefined && nodes === undefined) return base
  const named = nodes === undefined ? undefined : [...new Set(nodes)].toSorted()
  const asked = [
    ...(region === undefined ? [] : [`in region "${region}"`]),
    ...(named === undefined ? [] : [`on ${named.join(', ')}`])
  ]
  return {
    key: `${base.key} ${JSON.stringify([region, named])}`,
    subcloud: base.subcloud,
    adHoc: true,
    where: `${base.where} ${asked.join(' ')}`,
    admits: (node: Member) =>
      base.admits(node) &&
      (region === undefined || labelOf(node.advert, REGION_LABEL) === region) &&
      (named === undefined || named.includes(node.peerId))
  }
}

/** `subcloud "eu" (region=eu tier=gold)`: its name and the labels that its nodes must have. */
function described(subcloud: Subcloud | undefined, name: string): string {
  if (subcloud === undefined) return `subcloud "${name}"`
  const { labels = {}, region, nodes } = subcloud.definition
  const needs = [
    ...(region === undefined ? [] : [`${REGION_LABEL}=${region}`]),
    ...Object.entries(labels).map(([label, value]) => `${label}=${value}`),
    ...(nodes === undefined ? [] : [`one of ${nodes.length} nodes`])
  ]
  return `subcloud "${name}" (${needs.join(' ')})`
}
