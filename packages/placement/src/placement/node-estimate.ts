import type { Advert, LayerRange } from '@resultity/interface'
import type { PlannerNode } from '@resultity/planner'
import type { NodeRecord } from '../membership/node-registry.ts'
import { type PlaceableModel, weightsPerLayer } from './placeable-model.ts'
import type { Placement } from './placement.ts'

/**
 * A hop's own cost beside the network, measured between stages on one machine: 0.9–1.2 ms from send to receive and
 * 0.3–0.5 ms until the next stage computes.
 */
export const HOP_MS = 1.4

/**
 * Speed assumed of a node that has measured nothing: a two-core machine multiplies 100 M 4-bit weights in this time.
 */
const PROBE_MS_PRIOR = 3

/**
 * The planner's estimate of `node`, for `model`.
 *
 * Speed: measured on this model's layers where the node serves some, else scaled from its probe. Memory: the offered
 * bytes, less those that `placements` of this coordinator and of others have taken.
 */
export function estimateNode(
  node: NodeRecord,
  model: PlaceableModel,
  placements: readonly Placement[],
  foreignBytes: number
): PlannerNode {
  const headMs = measuredHeadMs(node.peerId, model, placements)
  return {
    peerId: node.peerId,
    memoryFreeBytes: Math.max(0, node.advert.memoryOfferedBytes - foreignBytes - bytesOn(node.peerId, placements)),
    msPerLayer: measuredMsPerLayer(node.advert, model) ?? priorMsPerLayer(node.advert, model),
    heldRanges: heldRanges(node.peerId, model, placements),
    ...(node.advert.kernels === undefined ? {} : { kernels: node.advert.kernels }),
    ...(headMs === undefined ? {} : { headMs })
  }
}

/**
 * Bytes that live placements take on a node. A broken or released placement takes none, because the node is told first
 * to release what a new one does not keep.
 */
export function bytesOn(peerId: string, placements: readonly Placement[]): number {
  let bytes = 0
  for (const placement of placements) {
    if (placement.state !== 'broken' && placement.state !== 'released') {
      bytes += placement.stageOn(peerId)?.memoryBytes ?? 0
    }
  }
  return bytes
}

function measuredMsPerLayer(advert: Advert, model: PlaceableModel): number | undefined {
  const measured = advert.stages
    .filter(stage => stage.manifest === model.manifestSha256 && stage.decodeMsPerLayer > 0)
    .map(stage => stage.decodeMsPerLayer)
  return measured.length === 0 ? undefined : Math.min(...measured)
}

function priorMsPerLayer(advert: Advert, model: PlaceableModel): number {
  const probeMs = advert.probeMsPer100M > 0 ? advert.probeMsPer100M : PROBE_MS_PRIOR
  return (probeMs * weightsPerLayer(model.manifest)) / 100e6
}

function measuredHeadMs(peerId: string, model: PlaceableModel, placements: readonly Placement[]): number | undefined {
  for (const placement of placements) {
    if (placement.model.manifestSha256 !== model.manifestSha256) continue
    const stage = placement.stageOn(peerId)
    if (stage?.range.end === model.manifest.layers.length && stage.report.fixedDecodeMs > 0) {
      return stage.report.fixedDecodeMs
    }
  }
  return undefined
}

function heldRanges(peerId: string, model: PlaceableModel, placements: readonly Placement[]): LayerRange[] {
  return placements
    .filter(placement => placement.model.manifestSha256 === model.manifestSha256)
    .flatMap(placement => {
      const stage = placement.stageOn(peerId)
      return stage?.report.state === 'ready' ? [stage.range] : []
    })
}
