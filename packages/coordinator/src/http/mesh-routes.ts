import { maySee, requireSubcloud } from '@resultity/access'
import { type ApiRoute, addRoute, listOf, parseInput, subcloudOf } from '@resultity/api-kit'
import { type EnsembleAliases, strategyOf } from '@resultity/ensembles'
import { type EnsembleAlias, isServedWhole } from '@resultity/interface'
import {
  type NodePool,
  type NodePools,
  type NodeRecord,
  type NodeRegistry,
  type Placement,
  type PlacementDirector,
  type ServedModel,
  type ServedModels,
  type Subcloud,
  type Subclouds,
  servedIn
} from '@resultity/placement'
import { isRelayed, type OfferedModels, type UpstreamModel } from '@resultity/relayed'
import type { FastifyInstance } from 'fastify'
import type { z } from 'zod'
import {
  bannedLinkSchema,
  modelSchema,
  nodeSchema,
  placementSchema,
  planQuerySchema,
  planSchema
} from './mesh-schema.ts'

export interface MeshRouteComponents {
  readonly models: ServedModels
  readonly offered: OfferedModels
  readonly aliases: EnsembleAliases
  readonly registry: NodeRegistry
  readonly director: PlacementDirector
  readonly subclouds: Subclouds
  readonly pools: NodePools
}

const listModels: ApiRoute = {
  method: 'GET',
  path: '/v1/models',
  id: 'listModels',
  summary: 'Models that requests may name.',
  answers: { 200: { json: listOf('ModelList', modelSchema) } }
}

const retrieveModel: ApiRoute = {
  method: 'GET',
  path: '/v1/models/{id}',
  url: '/v1/models/*',
  id: 'retrieveModel',
  summary: 'One model. Slashes in its id may be raw or encoded.',
  answers: { 200: { json: modelSchema } },
  errors: [404]
}

const listNodes: ApiRoute = {
  method: 'GET',
  path: '/v1/mesh/nodes',
  id: 'listNodes',
  summary: 'Nodes connected now, as they advertise themselves.',
  answers: { 200: { json: listOf('NodeList', nodeSchema) } }
}

const listPlacements: ApiRoute = {
  method: 'GET',
  path: '/v1/mesh/placements',
  id: 'listPlacements',
  summary: 'Which node serves which layers of which model, and how far it is.',
  answers: { 200: { json: listOf('PlacementList', placementSchema) } }
}

const listLinks: ApiRoute = {
  method: 'GET',
  path: '/v1/mesh/links',
  id: 'listBannedLinks',
  summary: 'Pairs of nodes between which nothing passed. They are not put beside each other for a while.',
  answers: { 200: { json: listOf('BannedLinkList', bannedLinkSchema) } }
}

const showPlan: ApiRoute = {
  method: 'GET',
  path: '/v1/mesh/plan',
  id: 'plan',
  summary: 'How the planner would place a model now, and the predicted time per token.',
  query: planQuerySchema,
  answers: { 200: { json: planSchema } },
  errors: [400, 404, 503]
}

/** What is here and who does what: `/v1/models`, `/v1/mesh/*`. */
export function addMeshRoutes(server: FastifyInstance, components: MeshRouteComponents): void {
  const { models, aliases, registry, director, subclouds, pools } = components
  addRoute(server, listModels, async request => {
    const served = servedIn(subcloudOf(request), components)
    const ensembles = aliases.list().filter(([, { models: names }]) => names.every(served))
    return {
      object: 'list',
      data: [
        ...models
          .list()
          .filter(({ id }) => served(id))
          .map(toModel),
        ...ensembles.map(([name, alias]) => toEnsemble(name, alias, models)),
        ...upstreamsIn(subcloudOf(request), components).map(toUpstream)
      ]
    }
  })
  addRoute<{ Params: { '*': string } }>(server, retrieveModel, async request => {
    const id = request.params['*']
    const upstream = upstreamsIn(subcloudOf(request), components).find(model => model.id === id)
    if (upstream !== undefined) return toUpstream(upstream)
    const alias = models.has(id) ? undefined : aliases.get(id)
    return alias === undefined ? toModel(models.find(id)) : toEnsemble(id, alias, models)
  })
  addRoute(server, listNodes, async ({ caller }) => ({
    object: 'list',
    data: registry.list().map(node => {
      const shown = subclouds.of(node).filter(({ name }) => maySee(caller, name))
      return toNode(node, models, shown)
    })
  }))
  addRoute(server, listPlacements, async ({ caller }) => {
    const all = director.table.all()
    const shown = all.filter(({ pool: { subcloud } }) => subcloud === undefined || maySee(caller, subcloud))
    return { object: 'list', data: shown.map(toPlacement) }
  })
  addRoute(server, listLinks, async () => ({ object: 'list', data: director.bannedLinks() }))
  addRoute(server, showPlan, async request => {
    const query = parseInput(planQuerySchema, request.query)
    const model = models.find(query.model)
    const subcloud = query.subcloud ?? subcloudOf(request)
    if (subcloud !== undefined) requireSubcloud(request.caller, subcloud, 'subcloud')
    const { pool } = pools.routing(model, { subcloud })
    return toPlan(components, model, query.stages, pool)
  })
}

function toModel({ id, createdAt, placeable, kind }: ServedModel): z.infer<typeof modelSchema> {
  return {
    id,
    object: 'model',
    created: createdAt,
    owned_by: 'resultity',
    contextLength: placeable.contextLength,
    layers: placeable.manifest.layers.length,
    kind,
    ...(readsPictures(placeable) ? { input_modalities: ['text' as const, 'image' as const] } : {}),
    manifestSha256: placeable.manifestSha256
  }
}

function readsPictures({ manifest }: ServedModel['placeable']): boolean {
  return !isServedWhole(manifest) && manifest.sight !== undefined
}

/** Models of servers beside the nodes of a subcloud, by names that mean nothing else here. */
function upstreamsIn(name: string | undefined, components: MeshRouteComponents): readonly UpstreamModel[] {
  const { offered, pools, subclouds } = components
  if (name !== undefined && subclouds.find(name).definition.models !== undefined) return []
  const pool = name === undefined ? pools.general : pools.named(name)
  return offered.list(pool).filter(({ id }) => isRelayed(components, id))
}

function toUpstream({ id, createdAt, contextLength, endpoints, offers }: UpstreamModel): z.infer<typeof modelSchema> {
  return {
    id,
    object: 'model',
    created: createdAt,
    owned_by: 'resultity',
    ...(contextLength === undefined ? {} : { contextLength }),
    kind: 'upstream',
    endpoints: [...endpoints],
    nodes: offers.map(({ node }) => node.peerId)
  }
}

/** An ensemble as a model: with the context that all of its models have. */
function toEnsemble(id: string, alias: EnsembleAlias, models: ServedModels): z.infer<typeof modelSchema> {
  const members = alias.models.map(name => models.find(name))
  return {
    id,
    object: 'model',
    created: Math.max(...members.map(member => member.createdAt)),
    owned_by: 'resultity',
    kind: 'decoder',
    contextLength: Math.min(...members.map(member => member.placeable.contextLength)),
    ensemble: { models: members.map(member => member.id), strategy: strategyOf(alias) }
  }
}

function toNode(record: NodeRecord, models: ServedModels, subclouds: readonly Subcloud[]) {
  const { peerId, advert, joinedAtMs, lastSeenMs } = record
  const node: z.infer<typeof nodeSchema> = {
    peerId,
    agentVersion: advert.agentVersion,
    multiaddrs: advert.multiaddrs,
    hardware: advert.hardware,
    memoryOfferedBytes: advert.memoryOfferedBytes,
    memoryFreeBytes: advert.memoryFreeBytes,
    probeMsPer100M: advert.probeMsPer100M,
    kernels: advert.kernels ?? null,
    threads: advert.threads,
    labels: advert.labels,
    subclouds: subclouds.map(({ name }) => name),
    stages: advert.stages.map(({ manifest, ...stage }) => ({ ...stage, model: nameOf(manifest, models) })),
    offered: advert.offered ?? [],
    draining: advert.draining === true,
    joinedAtMs,
    lastSeenMs
  }
  return node
}

function nameOf(manifestSha256: string, models: ServedModels): string {
  return models.list().find(model => model.placeable.manifestSha256 === manifestSha256)?.id ?? manifestSha256
}

function toPlacement(placement: Placement): z.infer<typeof placementSchema> {
  const { id, model, pool, purpose, state, plan, sessionsOpen, createdAtMs, lastUsedAtMs } = placement
  return {
    id,
    model: model.name,
    manifestSha256: model.manifestSha256,
    subcloud: pool.subcloud ?? null,
    purpose,
    state,
    contextLength: model.contextLength,
    sessionsOpen,
    sessionsMax: model.sessionsMax,
    predictedMsPerToken: plan.tokenMs,
    createdAtMs,
    lastUsedAtMs,
    stages: placement.stages.map(({ peerId, range, memoryBytes, report }) => ({
      peerId,
      range,
      state: report.state,
      memoryBytes,
      bytesDone: report.bytesDone,
      bytesTotal: report.bytesTotal,
      decodeMsPerLayer: report.decodeMsPerLayer,
      unreachedPeer: report.unreachedPeer ?? null,
      error: report.error?.message ?? null,
      selfTestSha256: report.selfTestSha256 === '' ? null : report.selfTestSha256
    }))
  }
}

/** @throws MeshError `layers_missing` when nothing fits */
function toPlan(
  { director }: MeshRouteComponents,
  model: ServedModel,
  stages: 'auto' | number | undefined,
  pool: NodePool | undefined
): z.infer<typeof planSchema> {
  const plan = director.whatIf(model.placeable, stages, pool)
  return {
    model: model.id,
    msPerToken: plan.tokenMs,
    tokensPerSecond: plan.tokenMs === 0 ? 0 : 1000 / plan.tokenMs,
    bottleneckMs: plan.bottleneckMs,
    bytesToMove: plan.bytesToMove,
    stages: plan.stages.map(({ peerId, range, memoryBytes, computeMs, hopMs }) => ({
      peerId,
      range,
      memoryBytes,
      ms: computeMs,
      hopMs
    }))
  }
}
