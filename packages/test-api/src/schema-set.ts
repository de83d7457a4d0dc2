import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'

/** A JSON Schema, or a piece of one. */
export type Schema = Readonly<Record<string, unknown>>

/** Shown of one value: a union of fifty events has hundreds of reasons. */
const REASONS_MAX = 6

/** The schemas of one OpenAPI document, each compiled when first used. */
export class SchemaSet {
  // to compile the schema of schemas takes longer than all that a test needs, and it says nothing of `components`
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true, validateSchema: false })
  readonly #compiled = new Map<string, ValidateFunction>()
  readonly #schemas: Readonly<Record<string, Schema>>

  constructor(document: { readonly components: { readonly schemas: Readonly<Record<string, Schema>> } }) {
    this.#schemas = document.components.schemas
    this.#ajv.addSchema({ components: document.components }, 'api')
  }

  has(name: string): boolean {
    return name in this.#schemas
  }

  /** What in `value` breaks the component of this name. */
  errorsByName(name: string, value: unknown): string[] {
    if (!this.has(name)) throw new Error(`there is no schema ${name}`)
    return this.errors({ $ref: `#/components/schemas/${name}` }, value)
  }

  /** What in `value` breaks `schema`, whose references are to components of the document. */
  errors(schema: Schema, value: unknown): string[] {
    const meant = this.#variantOf(schema, value)
    const key = JSON.stringify(meant)
    let validate = this.#compiled.get(key)
    if (validate === undefined) {
      validate = this.#ajv.compile(JSON.parse(key.replaceAll('"$ref":"#/', '"$ref":"api#/')))
      this.#compiled.set(key, validate)
    }
    if (validate(value)) return []
    return (validate.errors ?? [])
      .slice(0, REASONS_MAX)
      .map(({ instancePath, message, params }) => `${instancePath || '/'} ${message} ${JSON.stringify(params)}`)
  }

  /** Of a union of typed events, the one that `value` says it is: its reasons are worth reading. */
  #variantOf(schema: Schema, value: unknown): Schema {
    const union = this.#resolve(schema)
    const variants = union.anyOf ?? union.oneOf
    if (!Array.isArray(variants) || typeof value !== 'object' || value === null || !('type' in value)) return schema
    const meant = variants.filter(variant => this.#isOfType(variant, value.type))
    return meant.length === 1 ? meant[0] : schema
  }

  #isOfType(variant: Schema, type: unknown): boolean {
    const { properties } = this.#resolve(variant) as { properties?: { type?: { enum?: unknown[]; const?: unknown } } }
    return properties?.type?.const === type || properties?.type?.enum?.includes(type) === true
  }

  #resolve(schema: Schema): Schema {
    const { $ref: reference } = schema
    if (typeof reference !== 'string') return schema
    return this.#schemas[reference.slice(reference.lastIndexOf('/') + 1)] ?? schema
  }
}
