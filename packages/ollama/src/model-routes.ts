import { maySee } from '@resultity/access'
import { type ApiRoute, addRoute, parseInput, subcloudOf } from '@resultity/api-kit'
import { MeshError } from '@resultity/interface'
import { type PlacementDirector, type ServedModels, type Subclouds, servedIn } from '@resultity/placement'
import type { FastifyInstance } from 'fastify'
import { servedName } from './model-names.ts'
import { psSchema, type RunningModel, showBodySchema, shownSchema, tagsSchema, versionSchema } from './model-schema.ts'
import { toListed, toShown } from './model-view.ts'
import { ollamaErrors } from './ollama-errors.ts'

export interface OllamaRouteComponents {
  readonly models: ServedModels
  readonly director: PlacementDirector
  readonly subclouds: Subclouds
}

/** The release of Ollama whose API is followed here: programs ask for it before they use what it can. */
const VERSION = '0.13.0'

/** Later than anybody waits. */
const NEVER = '9999-12-31T23:59:59Z'

const routes = {
  tags: {
    method: 'GET',
    path: '/api/tags',
    id: 'ollamaTags',
    summary: 'Models that requests may name, as Ollama lists them.',
    answers: { 200: { json: tagsSchema } },
    errorFormat: ollamaErrors
  },
  show: {
    method: 'POST',
    path: '/api/show',
    id: 'ollamaShow',
    summary: 'One model, as Ollama shows it.',
    body: showBodySchema,
    answers: { 200: { json: shownSchema } },
    errors: [400, 404],
    errorFormat: ollamaErrors
  },
  ps: {
    method: 'GET',
    path: '/api/ps',
    id: 'ollamaPs',
    summary: 'Models that nodes hold now, as Ollama lists those that run.',
    answers: { 200: { json: psSchema } },
    errorFormat: ollamaErrors
  },
  version: {
    method: 'GET',
    path: '/api/version',
    id: 'ollamaVersion',
    summary: 'The release of Ollama whose API is followed.',
    answers: { 200: { json: versionSchema } },
    errorFormat: ollamaErrors
  }
} as const satisfies Readonly<Record<string, ApiRoute>>

/** What changes which models there are: the business of whoever runs the coordinator. */
const management: readonly (readonly ['POST' | 'DELETE', string, string])[] = [
  ['POST', 'pull', 'fetches no models'],
  ['POST', 'push', 'publishes no models'],
  ['POST', 'create', 'makes no models'],
  ['POST', 'copy', 'gives models no further names'],
  ['DELETE', 'delete', 'removes no models']
]

/** What Ollama's clients ask of models without asking one. */
export function addOllamaRoutes(server: FastifyInstance, components: OllamaRouteComponents): void {
  const { models } = components
  addRoute(server, routes.tags, async request => {
    const served = servedIn(subcloudOf(request), components)
    const listed = models.list().filter(({ id }) => served(id))
    return { models: listed.map(toListed) }
  })
  addRoute(server, routes.show, async request => {
    const { model, name } = parseInput(showBodySchema, request.body)
    return toShown(models.find(servedName(models, model ?? name ?? undefined)))
  })
  addRoute(server, routes.ps, async request => {
    const visible = (subcloud: string): boolean => maySee(request.caller, subcloud)
    return { models: running(components, subcloudOf(request), visible) }
  })
  addRoute(server, routes.version, async () => ({ version: VERSION }))
  for (const [method, name, what] of management) addRefusal(server, components, method, name, what)
}

/** Those of which some placement is ready. */
function running(
  { models, director }: OllamaRouteComponents,
  wanted: string | undefined,
  visible: (subcloud: string) => boolean
): RunningModel[] {
  const ready = new Set(
    director.table.all().flatMap(({ state, pool: { subcloud }, model: { manifestSha256 } }) => {
      const seen =
        subcloud === undefined ? wanted === undefined : visible(subcloud) && subcloud === (wanted ?? subcloud)
      return state === 'ready' && seen ? [manifestSha256] : []
    })
  )
  const held = models.list().filter(({ placeable }) => ready.has(placeable.manifestSha256))
  return held.map(model => {
    const { modified_at: _, ...listed } = toListed(model)
    return { ...listed, expires_at: NEVER, size_vram: 0, context_length: model.placeable.contextLength }
  })
}

function addRefusal(
  server: FastifyInstance,
  { models }: OllamaRouteComponents,
  method: 'POST' | 'DELETE',
  name: string,
  what: string
): void {
  const route: ApiRoute = {
    method,
    path: `/api/${name}`,
    id: `ollama${name.charAt(0).toUpperCase()}${name.slice(1)}`,
    summary: `Not served: the API ${what}.`,
    answers: {},
    errors: [501],
    errorFormat: ollamaErrors
  }
  addRoute(server, route, async () => {
    const served = models.list().map(({ id }) => `"${id}"`)
    throw new MeshError('not_implemented', `${method} ${route.path} is not served here: the API ${what}`, {
      hint: `Whoever runs the coordinator names its models, with --model and --alias. Served are: ${served.join(', ') || 'none yet'}.`
    })
  })
}
