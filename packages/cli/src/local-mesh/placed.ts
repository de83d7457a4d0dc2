import { setTimeout } from 'node:timers/promises'
import { type AbortOptions, formatRange, type LayerRange, MeshError } from '@resultity/interface'
import { type ApiModel, type ApiPlacement, isPlaced } from '../api/answers.ts'
import type { MeshApi } from '../api/mesh-api.ts'
import type { ProgressStep } from '../output/progress.ts'
import { shortPeer } from '../output/table.ts'
import type { LocalMesh } from './local-mesh.ts'

const POLL_MS = 250

/** Reading and testing the weights of a big model takes minutes on a slow disk. While they come from a hub, hours may pass. */
const SILENCE_MAX_MS = 15 * 60_000

/** A model that is ready to answer, and who serves which layers of it. */
export interface PlacedModel {
  readonly model: string
  /** A decoder answers prompts, an encoder gives embeddings. */
  readonly kind: ApiModel['kind']
  readonly stages: readonly { readonly peerId: string; readonly range: LayerRange }[]
}

/**
 * Waits until every model of the mesh has a placement that serves.
 *
 * @throws MeshError `unavailable` when the coordinator or every node has ended; `deadline_exceeded` when nothing has changed for
 * a quarter of an hour
 */
export async function waitUntilPlaced(
  mesh: LocalMesh,
  api: MeshApi,
  { onProgress, ...options }: AbortOptions & { readonly onProgress: (step: ProgressStep) => void }
): Promise<PlacedModel[]> {
  const models = (await api.models(options)).filter(isPlaced)
  let shown = ''
  let changedAtMs = performance.now()
  for (;;) {
    if (mesh.nodesUp === 0) {
      throw new MeshError('unavailable', 'every node has ended before the model was loaded', {
        hint: 'Their logs are in the data directory, below logs/.'
      })
    }
    const placements = await api.placements(options)
    const placed = models.flatMap(model => {
      const ready = placements.find(candidate => isReady(candidate, model.id))
      return ready === undefined ? [] : [toPlaced(ready, model.kind)]
    })
    if (placed.length === models.length) return placed
    const step = describeLoading(placements)
    onProgress(step)
    const seen = JSON.stringify(step)
    if (seen !== shown) changedAtMs = performance.now()
    shown = seen
    if (performance.now() - changedAtMs > SILENCE_MAX_MS) {
      throw new MeshError(
        'deadline_exceeded',
        `nothing has changed for ${SILENCE_MAX_MS / 60_000} minutes: ${step.text}`
      )
    }
    await setTimeout(POLL_MS, undefined, options)
  }
}

function isReady(placement: ApiPlacement, model: string): boolean {
  return placement.model === model && placement.state === 'ready'
}

function toPlaced({ model, stages }: ApiPlacement, kind: ApiModel['kind']): PlacedModel {
  return { model, kind, stages: stages.map(({ peerId, range }) => ({ peerId, range })) }
}

function describeLoading(placements: readonly ApiPlacement[]): ProgressStep {
  const stages = placements.flatMap(placement => (placement.state === 'loading' ? placement.stages : []))
  if (stages.length === 0) return { text: 'waiting for the nodes to join' }
  const done = stages.reduce((sum, stage) => sum + (stage.bytesDone ?? 0), 0)
  const total = stages.reduce((sum, stage) => sum + (stage.bytesTotal ?? 0), 0)
  const states = stages.map(stage => `${formatRange(stage.range)} ${describeState(stage)}`).join(', ')
  return { text: `loading layers ${states}`, ...(total > done ? { fraction: done / total } : {}) }
}

function describeState({ state, unreachedPeer }: ApiPlacement['stages'][number]): string {
  return unreachedPeer === null ? state : `${state}, does not reach ${shortPeer(unreachedPeer)}`
}

/** The line of `up --json`: exactly this shape, programs read it. A node that serves nothing has `layers` null. */
export function readyLine(mesh: LocalMesh, placed: readonly PlacedModel[]): object {
  return {
    ready: true,
    http: mesh.http,
    coordinator: { peerId: mesh.coordinator.ready.peerId, pid: mesh.coordinator.pid },
    nodes: mesh.nodes.map(({ pid, ready: { peerId } }) => {
      const stage = placed[0]?.stages.find(candidate => candidate.peerId === peerId)
      return { peerId, pid, layers: stage ? [stage.range.first, stage.range.end] : null }
    })
  }
}
