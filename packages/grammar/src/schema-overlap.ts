import { canonical } from './canonical.ts'
import { negated } from './negation.ts'
import { isSchema, type Part, type Schema, type SchemaDocument, SILENT } from './schema-document.ts'
import { isTypeName, TYPE_NAMES } from './schema-keywords.ts'

/** Properties within properties that are compared; what differs only below that counts as not apart. */
const COMPARED_DEPTH_MAX = 32
/** References and lists that are followed for what a schema says of its values. */
const FOLLOWED_MAX = 32
/** Options of a `oneOf`, each of which excludes all others. */
const EXCLUSIVE_MAX = 8

/** What of a schema tells it from others. */
interface Traits {
  readonly id: number
  /** An integer is a number too; undefined: any. */
  readonly types: ReadonlySet<string> | undefined
  readonly values: ReadonlySet<string> | undefined
  readonly required: ReadonlySet<string>
  readonly properties: ReadonlyMap<string, readonly unknown[]>
}

/** The options of a `oneOf`, held apart where they can be: then no value fits two of them. */
export interface Apart {
  /** `exclusive`: each is without what fits the others, as far as there is a schema for that. */
  readonly type: 'apart' | 'exclusive' | 'overlapping'
  readonly options: readonly Part[]
}

/**
 * Decides which schemas of one document no value can fit both of. What was found out about two of them is kept, so
 * the work grows with their pairs, however they are nested.
 */
export class SchemaOverlap {
  readonly #document: SchemaDocument
  readonly #traits = new Map<unknown, Traits | undefined>()
  readonly #apart = new Map<string, boolean>()

  constructor(document: SchemaDocument) {
    this.#document = document
  }

  /**
   * Options that no value fits two of: as they are where their types or values differ, or a property that both require
   * has other values in each; with such a property required where it was not; or each without what fits the others.
   */
  apart(schema: Schema, options: readonly Part[]): Apart {
    return this.#document.derived(schema, 'oneOf', () => this.#holdApart(options))
  }

  #holdApart(options: readonly Part[]): Apart {
    const traits = options.map(({ schema }) => this.#traitsOf(schema))
    const tags = options.map(() => new Set<string>())
    const others = options.map(() => new Set<number>())
    for (const [index, one] of traits.entries()) {
      for (let at = index + 1; at < traits.length; at++) {
        const other = traits[at]
        if (this.#areApart(one, other, 0)) continue
        const tag = this.#tagOf(one, other)
        if (tag !== undefined) for (const which of [index, at]) tags[which]?.add(tag)
        else if (options.length > EXCLUSIVE_MAX) return { type: 'overlapping', options }
        else {
          others[index]?.add(at)
          others[at]?.add(index)
        }
      }
    }
    const held: Part[] = []
    for (const [index, option] of options.entries()) {
      const excluded = [...(others[index] ?? [])].map(at => options[at]?.schema)
      if (excluded.some(one => negated(this.#document, one) === undefined)) return { type: 'overlapping', options }
      const all = [option.schema, ...excluded.map(not => ({ not }))]
      const required = [...(tags[index] ?? [])]
      if (required.length > 0) all.push({ type: 'object', required, [SILENT]: true })
      held.push(all.length === 1 ? option : { schema: { allOf: all }, path: option.path })
    }
    return { type: others.some(each => each.size > 0) ? 'exclusive' : 'apart', options: held }
  }

  /** A property that no value of is allowed by both; to be required, and the value to be an object. */
  #tagOf(one: Traits | undefined, other: Traits | undefined): string | undefined {
    if (one === undefined || other === undefined) return undefined
    this.#document.budget.spend(Math.min(one.properties.size, other.properties.size))
    for (const [name, mine] of one.properties) {
      const theirs = other.properties.get(name)
      if (theirs !== undefined && this.#anyApart(mine, theirs, 1)) return name
    }
    return undefined
  }

  #anyApart(mine: readonly unknown[], theirs: readonly unknown[], depth: number): boolean {
    return mine.some(one => theirs.some(other => this.#areApart(this.#traitsOf(one), this.#traitsOf(other), depth)))
  }

  #areApart(one: Traits | undefined, other: Traits | undefined, depth: number): boolean {
    this.#document.budget.spend(1)
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
    if (types !== undefined && other.types !== undefined && areDisjoint(types, other.types)) return true
    if (values !== undefined && other.values !== undefined) {
      return this.#common(values, other.values).length === 0
    }
    // without a type, a value that is no object fits as well
    if (!isObjectOnly(one) || !isObjectOnly(other)) return false
    for (const name of this.#common(one.required, other.required)) {
      const [mine, theirs] = [one.properties.get(name), other.properties.get(name)]
      if (mine !== undefined && theirs !== undefined && this.#anyApart(mine, theirs, depth + 1)) return true
    }
    return false
  }

  #common(ones: ReadonlySet<string>, others: ReadonlySet<string>): string[] {
    const [fewer, more] = ones.size < others.size ? [ones, others] : [others, ones]
    this.#document.budget.spend(fewer.size)
    return [...fewer].filter(value => more.has(value))
  }

  #traitsOf(schema: unknown): Traits | undefined {
    if (this.#traits.has(schema)) return this.#traits.get(schema)
    // a circle says nothing
    this.#traits.set(schema, undefined)
    const parts = this.#parts(schema)
    const traits = parts === undefined ? undefined : this.#read(parts)
    this.#traits.set(schema, traits)
    return traits
  }

  /** The schemas that hold together with this one, as far as they are easily found. */
  #parts(schema: unknown): readonly Schema[] | undefined {
    const parts: Schema[] = []
    const waiting = [schema]
    const seen = new Set<unknown>()
    for (const one of waiting) {
      this.#document.budget.spend(2)
      if (!isSchema(one) || seen.has(one)) continue
      if (seen.add(one).size > FOLLOWED_MAX) return undefined
      parts.push(one)
      if (one.$ref !== undefined) waiting.push(this.#document.resolve(one.$ref, '/$ref')?.schema)
      if (Array.isArray(one.allOf)) waiting.push(...one.allOf)
    }
    return parts
  }

  #read(parts: readonly Schema[]): Traits {
    let types: ReadonlySet<string> | undefined
    let values: ReadonlySet<string> | undefined
    const required = new Set<string>()
    const properties = new Map<string, unknown[]>()
    for (const part of parts) {
      const listed = 'const' in part ? [part.const] : part.enum
      const own = Array.isArray(listed)
        ? new Set(listed.map(value => canonical(value, this.#document.budget)))
        : undefined
      types = intersected(types, typesOf(part) ?? (Array.isArray(listed) ? new Set(listed.map(typeOf)) : undefined))
      values = intersected(values, own)
      const names = Array.isArray(part.required) ? part.required : []
      this.#document.budget.spend(8 + names.length)
      for (const name of names) required.add(String(name))
      for (const [name, schema] of isSchema(part.properties) ? Object.entries(part.properties) : []) {
        this.#document.budget.spend(1)
        const known = properties.get(name)
        if (known === undefined) properties.set(name, [schema])
        else known.push(schema)
      }
    }
    return { id: this.#traits.size, types, values, required, properties }
  }
}

function isObjectOnly({ types }: Traits): boolean {
  return types?.size === 1 && types.has('object')
}

function areDisjoint(ones: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  return ![...ones].some(one => others.has(one))
}

function intersected(
  ones: ReadonlySet<string> | undefined,
  others: ReadonlySet<string> | undefined
): ReadonlySet<string> | undefined {
  return ones === undefined || others === undefined
    ? (ones ?? others)
    : new Set([...ones].filter(one => others.has(one)))
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

/** An integer is a number too. Where there is no type, lists of schemas may say it. */
function typesOf(schema: Schema): ReadonlySet<string> | undefined {
  const { type, nullable } = schema
  if (type === undefined) return typesOfOptions(schema.anyOf ?? schema.oneOf)
  const names: readonly unknown[] = Array.isArray(type) ? type : [type]
  const types = names.filter(isTypeName).map(name => (name === 'integer' ? 'number' : name))
  return new Set(nullable === true ? [...types, 'null'] : types)
}

function typesOfOptions(options: unknown): ReadonlySet<string> | undefined {
  if (!Array.isArray(options)) return undefined
  const all = options.map(option => (isSchema(option) && option.type !== undefined ? typesOf(option) : undefined))
  if (all.includes(undefined)) return undefined
  return new Set(all.flatMap(types => [...(types ?? TYPE_NAMES)]))
}
