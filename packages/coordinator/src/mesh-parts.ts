import { randomUUID } from 'node:crypto'
import {
  Constraints,
  GenerationDriver,
  NodeJobs,
  RouteLeases,
  type RouteSessionComponents
} from '@resultity/generation'
import { type Clock, type Scheduler, type SubcloudDefinition, steadyClockOf } from '@resultity/interface'
import { type MeshHost, openAdvert } from '@resultity/mesh'
import {
  AssignmentSender,
  ContentLedger,
  type ContentLedgerComponents,
  GREETERS_MAX,
  type Invites,
  type JoinPolicy,
  Membership,
  NodePools,
  NodeRegistry,
  PlacementDirector,
  PlacementLoop,
  Replicas,
  ServedModels,
  Subclouds,
  toStageReport
} from '@resultity/placement'
import { OfferedModels, type RelayCallComponents } from '@resultity/relayed'
import type { Logger } from 'pino'
import { type CoordinatorLimits, DEFAULT_BATCH_PREFILL_CHUNK, DEFAULT_PREFILL_CHUNK } from './settings.ts'

export interface MeshPartsInit {
  readonly subclouds?: Readonly<Record<string, SubcloudDefinition>>
  readonly stages?: 'auto' | number
  readonly openJoin?: boolean
  readonly localJoin?: boolean
  readonly allowNodes?: readonly string[]
  readonly prefillChunk?: number
  readonly reusePrompts?: boolean
  readonly logger: Logger
}

/** Who is here, who serves what, and how answers are had of them. */
export interface MeshParts {
  readonly registry: NodeRegistry
  readonly membership: Membership
  readonly models: ServedModels
  readonly subclouds: Subclouds
  readonly pools: NodePools
  readonly director: PlacementDirector
  readonly loop: PlacementLoop
  readonly leases: RouteLeases
  readonly driver: GenerationDriver
  readonly nodeJobs: NodeJobs
  /** Further placements, for work of many parts. */
  readonly replicas: Replicas
  readonly constraints: Constraints
  /** Models of servers beside nodes, and how their nodes are asked. */
  readonly offered: OfferedModels
  readonly relays: RelayCallComponents
}

export interface MeshPartsComponents {
  readonly host: MeshHost
  readonly scheduler: Scheduler
  /** The wall clock; it may be another than the scheduler's. */
  readonly clock: Clock
  /** Who may join by an invite. Default: nobody. */
  readonly invites?: Pick<Invites, 'admits' | 'invitedAmong'>
  /** Where is kept what nodes' weight files hold, and who settles disputes. Default: nowhere, nobody. */
  readonly contents?: Omit<ContentLedgerComponents, 'logger'>
  /** Names placements. Default: random UUIDs. */
  readonly newId?: () => string
}

/** Everything between the mesh and HTTP. */
export function buildMesh(
  { host, scheduler, clock, invites, contents, newId = randomUUID }: MeshPartsComponents,
  limits: CoordinatorLimits,
  init: MeshPartsInit
): MeshParts {
  const silenceMaxMs = limits.heartbeatIntervalMs * limits.heartbeatMissesMax
  // silence, waits and leases are durations: no setting of the wall clock ends or prolongs them
  const steady = steadyClockOf(scheduler)
  const registry = new NodeRegistry(steady, { nodesMax: limits.nodesMax, silenceMaxMs })
  const assignments = new AssignmentSender({
    registry,
    contents: { known: (model, stage) => ledger.known(model, stage) },
    ownAddress: () => ({ peerId: host.peerId, multiaddrs: host.multiaddrs() }),
    send: (peerId, message) => membership.send(peerId, message)
  })
  const offered = new OfferedModels({ registry, clock })
  const models = new ServedModels(name => offered.elsewhere(name))
  const subclouds = new Subclouds(init.subclouds)
  const pools = new NodePools({ subclouds, models })
  const director = new PlacementDirector(
    { registry, assignments, clock: steady, pools, newId },
    { ...limits, stages: init.stages ?? 'auto' }
  )
  const loop = new PlacementLoop({ registry, director, clock: steady, scheduler }, limits.joinSettleMs)
  subclouds.onChange(() => loop.poolsChanged())
  const ledger = buildLedger({ ...contents, logger: init.logger }, director, loop)
  const membership: Membership = new Membership(
    {
      registry,
      clock,
      logger: init.logger,
      steady,
      openAdvert,
      onAssignment: (peerId, update) => {
        const { placementId, unreachedPeer, error } = update
        if (unreachedPeer !== undefined) {
          init.logger.warn(
            { from: peerId, to: unreachedPeer, placementId, err: error },
            'a stage does not reach the next'
          )
        }
        loop.report(peerId, placementId, ledger.admit(peerId, director.table.get(placementId), toStageReport(update)))
      }
    },
    {
      ...limits,
      scheduler,
      greetersMax: GREETERS_MAX,
      joins: joinPolicy(init, invites)
    }
  )
  const leases = new RouteLeases(director, limits, scheduler)
  const nodes = { leases, opener: host, scheduler, ...nodesOf(registry, loop, init.logger) }
  const prefillChunk = init.prefillChunk ?? DEFAULT_PREFILL_CHUNK
  const batchPrefillChunk = Math.min(prefillChunk, DEFAULT_BATCH_PREFILL_CHUNK)
  const keepsPrompts = init.reusePrompts ?? true
  const driver = new GenerationDriver(nodes, { ...limits, prefillChunk, batchPrefillChunk, keepsPrompts })
  const nodeJobs = new NodeJobs(nodes, limits)
  const replicas = new Replicas({ registry, director, general: pools.general })
  logNodes(registry, init.logger)
  const constraints = new Constraints(limits)
  const { addressOf, onNodeLeft } = nodes
  const relays = { offered, opener: host, scheduler, addressOf, onNodeLeft }
  const served = { models, offered, relays, subclouds, pools }
  return { registry, membership, ...served, director, loop, leases, driver, nodeJobs, replicas, constraints }
}

function joinPolicy(
  { openJoin = false, localJoin = true, allowNodes = [] }: MeshPartsInit,
  invites: MeshPartsComponents['invites']
): JoinPolicy {
  const policy = { open: openJoin, local: localJoin, allowed: new Set(allowNodes) }
  return invites === undefined ? policy : { ...policy, invites }
}

/** A node that turns out to have been wrong loses its stage as if it had reported a failure. */
function buildLedger(
  components: ContentLedgerComponents,
  { table }: PlacementDirector,
  loop: PlacementLoop
): ContentLedger {
  return new ContentLedger(
    components,
    () => table.all(),
    (peerId, placementId, error) => {
      const stage = table.get(placementId)?.stageOn(peerId)
      if (stage !== undefined) loop.report(peerId, placementId, { ...stage.report, state: 'failed', error })
    }
  )
}

/** Where nodes are, and when one goes. */
function nodesOf(
  registry: NodeRegistry,
  loop: PlacementLoop,
  logger: Logger
): Pick<RouteSessionComponents, 'addressOf' | 'onNodeLeft' | 'suspect' | 'suspectLink'> {
  return {
    suspect: (peerId, placementId, why) => {
      const routedRound = loop.suspect(peerId, placementId, why)
      if (why !== undefined)
        logger.warn({ peerId, placementId, routedRound }, `a node is given no work for a while: ${why}`)
      return routedRound
    },
    suspectLink: (from, to, placementId) => {
      const routedRound = loop.suspectLink(from, to, placementId)
      logger.warn({ from, to, placementId, routedRound }, 'nothing passes between two nodes that are there')
      return routedRound
    },
    addressOf: (peerId, forPeer?: string) =>
      registry.get(peerId) === undefined ? undefined : { peerId, multiaddrs: registry.addressesOf(peerId, forPeer) },
    onNodeLeft: listener =>
      registry.onChange(change => {
        if (change.type === 'left') listener(change.node.peerId)
      })
  }
}

function logNodes(registry: NodeRegistry, logger: Logger): void {
  registry.onChange(change => {
    const { peerId } = change.node
    if (change.type === 'joined') logger.info({ peerId }, 'a node joined')
    if (change.type === 'left') logger.warn({ peerId, reason: change.reason }, 'a node left')
  })
}
