import { readFileSync } from 'node:fs'
import { matchPath } from './paths.ts'
import { type Schema, SchemaSet } from './schema-set.ts'

interface OpenAiDocument {
  /** By path, method and media type of a successful answer. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, Schema>>>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

const document: OpenAiDocument = JSON.parse(
  readFileSync(new URL('../../fixtures/openai.json', import.meta.url), 'utf8')
)
const schemas = new SchemaSet({
  components: { schemas: { ...document.components.schemas, ...withBase64(document), ...withCustomCalls(document) } }
})

/** What in `value` breaks OpenAI's published schema of this name; empty when nothing does. */
export function openAiErrors(schemaName: string, value: unknown): string[] {
  return schemas.errorsByName(schemaName, value)
}

/** OpenAI's schema of what an operation answers in this media type, where they have both. */
export function openAiSchema(method: string, path: string, mediaType: string): Schema | undefined {
  // their description calls any file a JSON text
  if (path.endsWith('/content')) return undefined
  // and says that all messages of a stored chat are the assistant's, but for its example
  if (/^\/v1\/chat\/completions\/[^/]+\/messages$/.test(path)) return undefined
  const pattern = matchPath(Object.keys(document.paths), path)
  const schema = pattern === undefined ? undefined : document.paths[pattern]?.[method.toLowerCase()]?.[mediaType]
  // one of two kinds of transcripts, they say, and one with segments is of both
  return pattern?.startsWith('/v1/audio/') && schema?.oneOf !== undefined ? { anyOf: schema.oneOf } : schema
}

/** What in `value` breaks a schema from {@link openAiSchema}. */
export function openAiSchemaErrors(schema: Schema, value: unknown): string[] {
  return schemas.errors(schema, value)
}

/** Their client asks for vectors in base64 unless told otherwise; their description leaves that out. */
function withBase64({ components }: OpenAiDocument): Readonly<Record<string, Schema>> {
  const vector = components.schemas.Embedding as { readonly properties: { readonly embedding: Schema } } | undefined
  if (vector === undefined) return {}
  const embedding = { anyOf: [vector.properties.embedding, { type: 'string', contentEncoding: 'base64' }] }
  return { Embedding: { ...vector, properties: { ...vector.properties, embedding } } }
}

/** Their client puts streamed calls of custom tools together; their description knows none in streams. */
function withCustomCalls({ components }: OpenAiDocument): Readonly<Record<string, Schema>> {
  const name = 'ChatCompletionMessageToolCallChunk'
  const chunk = components.schemas[name] as { readonly properties: Readonly<Record<string, Schema>> } | undefined
  if (chunk === undefined) return {}
  const text = { type: 'string' }
  const custom = { type: 'object', properties: { name: text, input: text }, additionalProperties: false }
  return {
    [name]: { ...chunk, properties: { ...chunk.properties, type: { enum: ['function', 'custom'] }, custom } }
  }
}
