import type { NodeRecord } from '../membership/node-registry.ts'
import type { PlaceableModel } from './placeable-model.ts'

/** Nodes that may serve a model together: the general pool, the nodes of a subcloud, or those that a request names. */
export interface NodePool {
  /** Identifies the pool; empty for the general one. */
  readonly key: string
  /** The subcloud that it is, or is a part of. */
  readonly subcloud: string | undefined
  /** Made for one request, and forgotten with it. */
  readonly adHoc: boolean
  /** Its name as a suffix in errors, such as ` in subcloud "eu"`; empty for the general pool. */
  readonly where: string
  admits(node: Pick<NodeRecord, 'peerId' | 'advert'>): boolean
}

/** A pool in which models are placed without a request. */
export interface StandingPool {
  readonly pool: NodePool
  serves(model: PlaceableModel): boolean
}

/** The pools that exist independently of requests. */
export interface PoolSource {
  readonly general: NodePool
  standing(): readonly StandingPool[]
  /** False for the pool of a subcloud that does not exist any more. */
  has(pool: NodePool): boolean
}

/** Where a request wants to be run. */
export interface RouteConstraints {
  /** Number of stages of the route, exactly. */
  readonly stages?: number | undefined
  /** Default: the general pool. */
  readonly pool?: NodePool | undefined
}

/** One pool of all nodes, for a coordinator without subclouds. */
export const oneForAll: PoolSource = {
  general: { key: '', subcloud: undefined, adHoc: false, where: '', admits: () => true },
  standing: () => [],
  has: () => true
}

/** One node of a pool. Made for one request. */
export function poolOfNode(pool: NodePool, peerId: string): NodePool {
  return {
    key: `${pool.key} ${JSON.stringify([null, [peerId]])}`,
    subcloud: pool.subcloud,
    adHoc: true,
    where: `${pool.where} on ${peerId}`,
    admits: node => node.peerId === peerId && pool.admits(node)
  }
}
