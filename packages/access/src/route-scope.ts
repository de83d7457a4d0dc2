import type { Scope } from './keys/caller.ts'

/** Routes of what a link shows, which is signed and expires: who has it needs no key. */
const LINKED = /^\/v1\/images\/files\//

/** Routes that answer everybody: they tell nothing of the mesh or its users. */
const PUBLIC = /^\/(?:$|(?:health|healthz|readyz|openapi\.json|docs)(?:\/|$))/

const SUBCLOUD = /^\/subclouds\/[^/]+(?=\/)/

/** Routes that ask a model or list models, and show nothing of other requests. */
const PLAIN_INFERENCE: ReadonlySet<string> = new Set([
  'POST /v1/chat/completions',
  'POST /v1/completions',
  'POST /v1/embeddings',
  'POST /v1/responses',
  'POST /v1/messages',
  'POST /v1/messages/count_tokens',
  'POST /tokenize',
  'POST /detokenize',
  'POST /apply-template',
  'GET /tokenizer_info',
  'HEAD /tokenizer_info',
  'POST /v1/rerank',
  'POST /rerank',
  'POST /v2/rerank',
  'POST /v1/score',
  'POST /score',
  'POST /v1/moderations',
  'POST /v1/audio/transcriptions',
  'POST /v1/audio/translations',
  'POST /v1/audio/translation',
  'POST /v1/images/generations',
  'POST /v1/images/edits',
  'POST /v1/images/variations',
  'POST /v1/images/description',
  'POST /api/chat',
  'POST /api/generate',
  'POST /api/embed',
  'POST /api/embeddings',
  'POST /api/show',
  'GET /api/tags',
  'HEAD /api/tags',
  'GET /api/version',
  'HEAD /api/version',
  'GET /v1/models',
  'HEAD /v1/models',
  'GET /v1/models/*',
  'HEAD /v1/models/*'
])

const areas: readonly (readonly [RegExp, Scope])[] = [
  [/^\/v1\/admin(\/|$)/, 'admin'],
  [/^\/v1\/usage(\/|$)/, 'read-usage'],
  [/^\/v1\/webhooks(\/|$)/, 'webhooks'],
  [/^\/v1\/mesh(\/|$)/, 'read-mesh'],
  [/^\/metrics$/, 'read-mesh']
]

/**
 * The scope that a route requires; undefined where it requires no key. Every route that is not named here requires
 * `inference`, so a new route needs a key unless somebody decides otherwise.
 *
 * @param url the route's own pattern, not the path that the client sent: no encoding of a path gets past it
 */
export function scopeOf(url: string): Scope | undefined {
  const path = url.replace(SUBCLOUD, '')
  if (PUBLIC.test(path) || LINKED.test(path)) return undefined
  return areas.find(([pattern]) => pattern.test(path))?.[1] ?? 'inference'
}

/** Whether a request only asks a model. @param url the route's own pattern */
export function isPlainInference(method: string, url: string): boolean {
  return PLAIN_INFERENCE.has(`${method} ${url.replace(SUBCLOUD, '')}`)
}
