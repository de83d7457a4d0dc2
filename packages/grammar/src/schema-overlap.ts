import { isTypeName } from './schema-keywords.ts'
import type { WorkBudget } from './work-budget.ts'

type Schema = Readonly<Record<string, unknown>>

/** Properties within properties that are compared; what differs only below that counts as not apart. */
const COMPARED_DEPTH_MAX = 32
/** A chain of references longer than this is a circle, which is refused elsewhere. */
const REFERENCES_MAX = 16

/** What of a schema tells it from others. */
interface Traits {
  readonly id: number
  readonly types: readonly string[] | undefined
  readonly values: ReadonlySet<string> | undefined
  readonly required: ReadonlySet<unknown>
  readonly properties: Schema
}

/**
 * Decides which schemas of one document no value can fit both of. What was found out about two of them is kept, so
 * the work grows with their pairs, however they are nested.
 */
export class SchemaOverlap {
  readonly #budget: WorkBudget
  readonly #resolve: (ref: unknown) => unknown
  readonly #traits = new Map<unknown, Traits | undefined>()
  readonly #apart = new Map<string, boolean>()

  /** @param resolve the schema that a `$ref` points to */
  constructor(budget: WorkBudget, resolve: (ref: unknown) => unknown) {
    this.#budget = budget
    this.#resolve = resolve
  }

  /**
   * Whether a value might fit two of these schemas. False only where it is plain to see that none does: their types
   * differ, or they list other values, or a property that both require has other values in each.
   */
  any(schemas: readonly unknown[]): boolean {
    const traits = schemas.map(schema => this.#traitsOf(schema))
    for (const [index, one] of traits.entries()) {
      for (let at = index + 1; at < traits.length; at++) if (!this.#areApart(one, traits[at], 0)) return true
    }
    return false
  }

  #areApart(one: Traits | undefined, other: Traits | undefined, depth: number): boolean {
    this.#budget.spend(1)
    if (one === undefined || other === undefined || depth > COMPARED_DEPTH_MAX) return false
    const key = one.id < other.id ? `${one.id},${other.id}` : `${other.id},${one.id}`
    const known = this.#apart.get(key)
    if (known !== undefined) return known
    // met again below itself, a pair is not told apart by what is below
    this.#apart.set(key, false)
    const apart = this.#differ(one, other, depth)
    this.#apart.set(key, apart)
    return apart
  }

  #differ(one: Traits, other: Traits, depth: number): boolean {
    const { types, values } = one
    if (types !== undefined && other.types !== undefined) {
      if (!types.some(type => other.types?.includes(type))) return true
    }
    if (values !== undefined && other.values !== undefined) {
      return this.#common(values, other.values).length === 0
    }
    for (const name of this.#common(one.required, other.required)) {
      const [mine, theirs] = [propertyOf(one, name), propertyOf(other, name)]
      if (this.#areApart(this.#traitsOf(mine), this.#traitsOf(theirs), depth + 1)) return true
    }
    return false
  }

  #common<Value>(ones: ReadonlySet<Value>, others: ReadonlySet<Value>): Value[] {
    const [fewer, more] = ones.size < others.size ? [ones, others] : [others, ones]
    this.#budget.spend(fewer.size)
    return [...fewer].filter(value => more.has(value))
  }

  #traitsOf(schema: unknown): Traits | undefined {
    if (this.#traits.has(schema)) return this.#traits.get(schema)
    const followed = this.#follow(schema)
    const traits = followed === schema ? this.#read(followed) : followed && this.#traitsOf(followed)
    this.#traits.set(schema, traits)
    return traits
  }

  #follow(schema: unknown): Schema | undefined {
    let target = schema
    for (let steps = 0; steps < REFERENCES_MAX; steps++) {
      if (!isSchema(target)) return undefined
      if (!('$ref' in target)) return target
      this.#budget.spend(1)
      target = this.#resolve(target.$ref)
    }
    return undefined
  }

  #read(schema: Schema | undefined): Traits | undefined {
    if (schema === undefined) return undefined
    const values = 'const' in schema ? [schema.const] : schema.enum
    const required = requiredOf(schema)
    this.#budget.spend(8 + required.length)
    return {
      id: this.#traits.size,
      types: typesOf(schema),
      values: Array.isArray(values) ? new Set(values.map(value => this.#written(value))) : undefined,
      required: new Set(required),
      properties: isSchema(schema.properties) ? schema.properties : {}
    }
  }

  #written(value: unknown): string {
    const text = JSON.stringify(value) ?? ''
    this.#budget.spend(1 + (text.length >> 4))
    return text
  }
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An integer is a number too. */
function typesOf({ type, nullable }: Schema): string[] | undefined {
  if (type === undefined || nullable === true) return undefined
  const names: readonly unknown[] = Array.isArray(type) ? type : [type]
  return [...new Set(names.filter(isTypeName).map(name => (name === 'integer' ? 'number' : name)))]
}

function requiredOf({ required, type }: Schema): readonly unknown[] {
  // without a type, a value that is no object fits as well
  return Array.isArray(required) && type === 'object' ? required : []
}

function propertyOf({ properties }: Traits, name: unknown): unknown {
  return typeof name === 'string' && Object.hasOwn(properties, name) ? properties[name] : undefined
}
