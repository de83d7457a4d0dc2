import { formatRange, type MeshError } from '@resultity/interface'
import { advert, ManualClock, placeable } from '@resultity/test-nodes'
import { NodeRegistry } from '../../src/membership/node-registry.ts'
import type { Placement, StageReport, StageState } from '../../src/placement/placement.ts'
import { PlacementDirector } from '../../src/placement/placement-director.ts'
import type { PlacementDirectorInit } from '../../src/placement/placement-director-init.ts'

const INIT: PlacementDirectorInit = {
  stages: 'auto',
  fewerStagesAfterMs: 3000,
  assignmentRetryMs: 1000,
  assignmentSilenceMs: 60_000,
  onDemandIdleMs: 600_000
}

/** What a node says of a stage. */
export function report(state: StageState, error?: MeshError): StageReport {
  const nothing = { bytesDone: 0, bytesTotal: 0, decodeMsPerLayer: 0, fixedDecodeMs: 0, selfTestSha256: '' }
  return error === undefined ? { state, ...nothing } : { state, ...nothing, error }
}

/** A director, what it has nodes told, and its clock. */
export function setUp(init: Partial<PlacementDirectorInit> = {}) {
  const clock = new ManualClock()
  const registry = new NodeRegistry(clock, { nodesMax: 100, silenceMaxMs: 3000 })
  const assignments: string[] = []
  let ids = 0
  const director: PlacementDirector = new PlacementDirector(
    {
      registry,
      clock,
      newId: () => `p${++ids}`,
      assignments: {
        assign: (placement, stage) => assignments.push(`${placement.id} ${stage.peerId}${formatRange(stage.range)}`),
        release: (peerId, placementId) => assignments.push(`release ${placementId} ${peerId}`)
      }
    },
    { ...INIT, ...init }
  )
  registry.onChange(change => director.nodeChanged(change))
  const takeAssignments = (): string[] => assignments.splice(0)
  const allReady = (placement: Placement | undefined): void => {
    for (const stage of placement?.stages ?? []) director.report(stage.peerId, placement?.id ?? '', report('ready'))
  }
  return { clock, registry, director, takeAssignments, allReady }
}

/** A director whose only model is ready on the first of these nodes, as `p1`. */
export function placed(
  peers: readonly string[],
  gib: number,
  layers: number,
  init?: Partial<PlacementDirectorInit>
): ReturnType<typeof setUp> & { readonly model: ReturnType<typeof placeable> } {
  const known = setUp(init)
  const { registry, director, allReady } = known
  const model = placeable(layers)
  director.addModel(model)
  for (const peer of peers) registry.join(advert(peer, gib))
  director.reconcile()
  allReady(director.table.get('p1'))
  return { ...known, model }
}
