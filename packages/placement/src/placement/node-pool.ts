import type { NodeRecord } from '../membership/node-registry.ts'
import type { PlaceableModel } from './placeable-model.ts'

/** Nodes that may serve something together: all that are for everybody, a subcloud's, or those that a request names. */
export interface NodePool {
  /** Tells pools apart; empty for the general one. */
  readonly key: string
  /** The subcloud that it is, or is a part of. */
  readonly subcloud: string | undefined
  /** Made for one request, and forgotten with it. */
  readonly adHoc: boolean
  /** As it follows on in errors, such as ` in subcloud "eu"`; empty for the general one. */
  readonly where: string
  admits(node: Pick<NodeRecord, 'peerId' | 'advert'>): boolean
}

/** A pool in which models are placed before anybody asks. */
export interface StandingPool {
  readonly pool: NodePool
  serves(model: PlaceableModel): boolean
}

/** The pools that there are whatever requests name. */
export interface PoolSource {
  readonly general: NodePool
  standing(): readonly StandingPool[]
  /** False for one of a subcloud that is no more. */
  has(pool: NodePool): boolean
}

/** Where a request wants to be run. */
export interface RouteConstraints {
  /** On a route of exactly so many stages. */
  readonly stages?: number | undefined
  /** Default: the general pool. */
  readonly pool?: NodePool | undefined
}

/** Every node is for everybody: what holds where there are no subclouds. */
export const oneForAll: PoolSource = {
  general: { key: '', subcloud: undefined, adHoc: false, where: '', admits: () => true },
  standing: () => [],
  has: () => true
}
