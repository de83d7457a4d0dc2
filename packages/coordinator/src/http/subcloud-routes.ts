import { maySee } from '@resultity/access'
import { type ApiRoute, addRoute, listOf, parseInput, Resource } from '@resultity/api-kit'
import { subcloudNameSchema, subcloudSchema, withParam } from '@resultity/interface'
import { hasNode, type NodeRegistry, type Subcloud, type SubcloudService, type Subclouds } from '@resultity/placement'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'

export interface SubcloudRouteComponents {
  readonly subclouds: Subclouds
  readonly subcloudService: SubcloudService
  readonly registry: NodeRegistry
}

const viewSchema = z
  .object({
    name: z.string(),
    object: z.literal('subcloud'),
    labels: z.record(z.string(), z.string()),
    region: z.string().nullable(),
    /** The allow list; null where there is none. */
    nodes: z.array(z.string()).nullable(),
    models: z.array(z.string()).nullable(),
    isolated: z.boolean(),
    source: z.enum(['configuration', 'api']),
    /** Peer ids of its nodes that are here now. */
    members: z.array(z.string())
  })
  .meta({ id: 'Subcloud' })

const bodySchema = subcloudSchema.meta({ id: 'SubcloudDefinition' })
const removedSchema = z.object({ name: z.string(), object: z.literal('subcloud'), deleted: z.literal(true) })
const list = listOf('SubcloudList', viewSchema)

const showSubclouds: ApiRoute = {
  method: 'GET',
  path: '/v1/mesh/subclouds',
  id: 'listMeshSubclouds',
  summary: 'Named subsets of the nodes, and who is in them now.',
  answers: { 200: { json: list } }
}

const resource = new Resource('/v1/admin/subclouds', { errors: [401, 403], param: 'name' })

const routes = {
  list: resource.list({ id: 'listSubclouds', summary: 'Subclouds, those of the configuration too.', json: list }),
  retrieve: resource.retrieve({ id: 'retrieveSubcloud', summary: 'One subcloud.', json: viewSchema }),
  put: resource.put({
    id: 'putSubcloud',
    summary: 'Makes a subcloud, or replaces it.',
    body: bodySchema,
    json: viewSchema,
    errors: [503]
  }),
  remove: resource.remove({
    id: 'deleteSubcloud',
    summary: 'Removes a subcloud; what runs in it ends first.',
    json: removedSchema,
    errors: [400]
  })
}

type ByName = { Params: { name: string } }

/** `/v1/admin/subclouds`, and what everybody may see of them. */
export function addSubcloudRoutes(server: FastifyInstance, components: SubcloudRouteComponents): void {
  const { subclouds, subcloudService: service, registry } = components
  const view = ({ name, definition, source }: Subcloud): z.infer<typeof viewSchema> => ({
    name,
    object: 'subcloud',
    labels: definition.labels ?? {},
    region: definition.region ?? null,
    nodes: definition.nodes ?? null,
    models: definition.models ?? null,
    isolated: definition.isolated ?? false,
    source,
    members: registry
      .list()
      .filter(node => hasNode(definition, node))
      .map(({ peerId }) => peerId)
  })
  const all = async ({ caller }: FastifyRequest) => {
    const shown = subclouds.list().filter(({ name }) => maySee(caller, name))
    return { object: 'list', data: shown.map(view) }
  }
  addRoute(server, showSubclouds, all)
  addRoute(server, routes.list, all)
  addRoute<ByName>(server, routes.retrieve, async request => view(find(subclouds, request.params.name)))
  addRoute<ByName>(server, routes.put, async request => {
    const { name } = parseInput(z.object({ name: subcloudNameSchema }), request.params)
    return view(await service.put(name, parseInput(bodySchema, request.body)))
  })
  addRoute<ByName>(server, routes.remove, async request => {
    const { name } = request.params
    find(subclouds, name)
    await service.remove(name)
    return { name, object: 'subcloud', deleted: true }
  })
}

/** @throws MeshError `not_found` naming the part of the path */
function find(subclouds: Subclouds, name: string): Subcloud {
  try {
    return subclouds.find(name)
  } catch (error) {
    throw withParam(error, 'name')
  }
}
