import type { PlannerNode } from './shape.ts'

/** Whether one of two nodes may send to the other. */
export function mayNeighbour(one: PlannerNode | undefined, other: PlannerNode | undefined): boolean {
  if (one === undefined || other === undefined || one === other) return true
  return one.avoids?.has(other.peerId) !== true && other.avoids?.has(one.peerId) !== true
}

/** Indices of each two stages of a ring that are beside each other and may not be; a stage may be open. */
export function faultyPairs(ring: readonly (PlannerNode | undefined)[]): [number, number][] {
  return ring.flatMap((node, index): [number, number][] => {
    const next = (index + 1) % ring.length
    return mayNeighbour(node, ring[next]) ? [] : [[index, next]]
  })
}
