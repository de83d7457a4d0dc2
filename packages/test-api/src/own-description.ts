import { matchPath } from './paths.ts'
import { type Schema, SchemaSet } from './schema-set.ts'

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>
}

interface Operation {
  readonly operationId: string
  readonly requestBody?: Content
  readonly responses: Readonly<Record<string, Content>>
}

/** What is used of an OpenAPI document. */
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

/** A server's own description of itself. */
export class OwnDescription {
  readonly #paths: ApiDocument['paths']
  readonly #requests: SchemaSet
  readonly #answers: SchemaSet

  constructor(document: ApiDocument) {
    this.#paths = document.paths
    this.#requests = new SchemaSet(document)
    this.#answers = new SchemaSet({ components: { schemas: closed(document.components.schemas) } })
  }

  operation(method: string, path: string): Operation | undefined {
    const pattern = matchPath(Object.keys(this.#paths), path)
    // whatever answers GET answers HEAD
    const name = method === 'HEAD' ? 'get' : method.toLowerCase()
    return pattern === undefined ? undefined : this.#paths[pattern]?.[name]
  }

  requestErrors(schema: Schema, value: unknown): string[] {
    return this.#requests.errors(schema, value)
  }

  /** What in `value` breaks `schema`, or is not described by it. */
  answerErrors(schema: Schema, value: unknown): string[] {
    return this.#answers.errors(schema, value)
  }
}

/** Objects that say what they have have nothing else, unless they say that they may. */
function closed<T>(node: T, composed = false): T {
  if (Array.isArray(node)) return node.map(item => closed(item)) as T
  if (node === null || typeof node !== 'object') return node
  const entries = Object.entries(node).map(([key, value]) => [key, closed(value, key === 'allOf')])
  const open = 'properties' in node && 'type' in node && node.type === 'object' && !('additionalProperties' in node)
  return Object.fromEntries(open && !composed ? [...entries, ['additionalProperties', false]] : entries)
}
