import {
  formatRange,
  isServedWhole,
  kindOf,
  type LayerRange,
  layerCount,
  MeshError,
  stagesMaxOf
} from '@resultity/interface'
import type { PlacementShortfall } from '@resultity/planner'
import type { NodePool } from './node-pool.ts'
import type { PlaceableModel } from './placeable-model.ts'

/** Why a model cannot be placed in a pool. */
export interface Unplaced {
  readonly model: PlaceableModel
  readonly pool: NodePool
  readonly shortfall: PlacementShortfall
  /** Layers that were served until their nodes left. */
  readonly lost: readonly LayerRange[]
  /** Why the last node that tried failed. */
  readonly failure: MeshError | undefined
  /** Nodes that could still serve the model. */
  readonly usableCount: number
}

/** The error that says which layers have no node, and why. */
export function layersMissing({ model, pool, shortfall, lost, failure, usableCount }: Unplaced): MeshError {
  const missing = lost.length > 0 ? lost : shortfall.missing
  const layers = missing.toSorted((a, b) => a.first - b.first).map(formatRange)
  const what =
    layers.length > 0
      ? `layers ${layers.join(' ')} of ${model.name} have no node${pool.where}`
      : `no route for ${model.name}${pool.where}`
  const noneUsable = failure !== undefined && usableCount === 0
  const why = [noneUsable ? undefined : shortfall.reason, failure?.message].filter(one => one !== undefined).join('; ')
  return new MeshError('layers_missing', `${what}: ${why}`, {
    hint:
      pool.key === ''
        ? 'Start more nodes, or nodes that offer more memory, and try again.'
        : 'Start nodes that belong to it, or ask for others; GET /v1/mesh/nodes shows what each node is labelled.',
    details: { missing, layersShort: missing.reduce((sum, range) => sum + layerCount(range), 0) }
  })
}

/** @throws MeshError `invalid_request` naming `param` */
export function refuseMoreStagesThanLayers(model: PlaceableModel, stages: number, param: string): void {
  const most = stagesMaxOf(model.manifest)
  if (most === 1 && stages > 1) {
    throw new MeshError(
      'invalid_request',
      `${param} is ${stages} and ${model.name} ${kindOf(model.manifest)} and is not cut`,
      {
        hint: 'Ask for 1 stage, or leave it out.',
        details: { param }
      }
    )
  }
  if (stages <= most) return
  const parts = isServedWhole(model.manifest) ? 'parts' : 'layers'
  throw new MeshError('invalid_request', `${param} is ${stages} and ${model.name} has ${most} ${parts}`, {
    hint: `Ask for at most ${most} stages.`,
    details: { param }
  })
}
