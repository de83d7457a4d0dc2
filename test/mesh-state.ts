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

/** Keeps a broken build from hanging. What is waited for takes moments, and minutes on a busy machine. */
const HOLDS_WITHIN_MS = 300_000

/** Polls until `holds`. */
export async function eventually<T>(
  what: string,
  read: () => Promise<T>,
  holds: (value: T) => boolean,
  withinMs = HOLDS_WITHIN_MS
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
