import { setTimeout as delay } from 'node:timers/promises'
import type { LayerRange } from '@resultity/interface'

/** A node as `GET /v1/mesh/nodes` shows it, as far as the tests look. */
export interface NodeState {
  readonly peerId: string
  readonly stages: readonly { readonly range: LayerRange; readonly sessionsOpen: number }[]
}

export async function meshNodes(url: string, headers: Readonly<Record<string, string>> = {}): Promise<NodeState[]> {
  const answer: { data: NodeState[] } = await (await fetch(`${url}/v1/mesh/nodes`, { headers })).json()
  return answer.data
}

/** Polls until `holds`; the deadline only keeps a broken build from hanging. */
export async function eventually<T>(
  what: string,
  read: () => Promise<T>,
  holds: (value: T) => boolean,
  withinMs = 30_000
): Promise<T> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const value = await read()
    if (holds(value)) return value
    if (performance.now() > deadline) {
      throw new Error(`${what}: not within ${withinMs / 1000} s; last seen ${JSON.stringify(value)}`)
    }
    await delay(50)
  }
}

/** Slots taken on all stages of all nodes. */
export function slotsTaken(nodes: readonly NodeState[]): number {
  return nodes.flatMap(node => node.stages).reduce((sum, stage) => sum + stage.sessionsOpen, 0)
}
