import type { LayerRange } from '@resultity/interface'

export { eventually } from '@resultity/test-api'

/** A node as `GET /v1/mesh/nodes` shows it, as far as the tests look. */
export interface NodeState {
  readonly peerId: string
  readonly stages: readonly { readonly range: LayerRange; readonly sessionsOpen: number }[]
}

export async function meshNodes(url: string, headers: Readonly<Record<string, string>> = {}): Promise<NodeState[]> {
  const answer: { data: NodeState[] } = await (await fetch(`${url}/v1/mesh/nodes`, { headers })).json()
  return answer.data
}

/** Slots taken on all stages of all nodes. */
export function slotsTaken(nodes: readonly NodeState[]): number {
  return nodes.flatMap(node => node.stages).reduce((sum, stage) => sum + stage.sessionsOpen, 0)
}
