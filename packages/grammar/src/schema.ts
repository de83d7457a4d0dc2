import { arrayExpression } from './array-schema.ts'
import { canonical } from './canonical.ts'
import { type Alternatives, type Conjunction, conjunctionOf } from './conjunction.ts'
import type { Expression } from './expression.ts'
import type { JsonText } from './json-text.ts'
import { numberExpression } from './number-schema.ts'
import { objectExpression } from './object-schema.ts'
import { brokenReference } from './references.ts'
import {
  EXCLUDED,
  EXCLUDED_PATTERN,
  encodePointer,
  isSchema,
  type Part,
  type Relaxation,
  type Schema,
  SchemaDocument,
  saysSomething
} from './schema-document.ts'
import { ENUM_VALUES_MAX, KEYWORDS_OF, SCHEMA_DEPTH_MAX, SCHEMA_PARTS_MAX, type TypeName } from './schema-keywords.ts'
import { SchemaOverlap } from './schema-overlap.ts'
import type { SchemaScope } from './schema-scope.ts'
import { allowedTypes, ownTypes } from './schema-types.ts'
import { hasType, SchemaValues } from './schema-values.ts'
import { stringExpression } from './string-schema.ts'

/** The documents of a schema, and the keywords that are not enforced. */
export interface SchemaDocuments {
  readonly expression: Expression
  readonly relaxed: readonly Relaxation[]
}

/**
 * The JSON documents that are valid under `schema`, written with the members of an object in the order of
 * `properties`. Not every valid document is among them; every one among them is valid, but for what is `relaxed`.
 *
 * @param where how the caller's input calls the schema: errors name places in it
 * @throws MeshError `invalid_request` naming the keyword and its place for what is no schema, or has no document
 */
export function schemaDocuments(json: JsonText, schema: unknown, where: string): SchemaDocuments {
  return new SchemaReader(json, schema, where).read()
}

/** An argument of a function. */
export interface Argument {
  readonly name: string
  readonly value: Expression
  readonly required: boolean
  readonly schema: unknown
}

/**
 * The members of an object one by one, for a notation that has no such object.
 *
 * @param schema of an object that says nothing of members but `properties` and `required`
 * @throws MeshError as {@link schemaDocuments} does
 */
export function argumentDocuments(
  json: JsonText,
  schema: unknown,
  where: string
): { readonly all: readonly Argument[]; readonly relaxed: readonly Relaxation[] } {
  return new SchemaReader(json, schema, where).readArguments()
}

/** Integers between two limits that are listed. */
const FEW_INTEGERS_MAX = 256

class SchemaReader implements SchemaScope {
  readonly json: JsonText
  readonly document: SchemaDocument
  readonly values: SchemaValues
  readonly #overlap: SchemaOverlap
  /** What schemas that hold at once stand for. A reference for each keeps what is built linear in the schema. */
  readonly #places = new Map<unknown, Expression>()
  #parts = 0
  /** The innermost place without any value, and why. */
  #dead: { readonly path: string; readonly problem: string } | undefined

  constructor(json: JsonText, root: unknown, where: string) {
    this.json = json
    this.document = new SchemaDocument(root, where, json.expressions.budget)
    this.values = new SchemaValues(json, this.document)
    this.#overlap = new SchemaOverlap(this.document)
  }

  read(): SchemaDocuments {
    const { document } = this
    const { expressions } = this.json
    expressions.budget.place = document.where
    const expression = this.at([{ schema: document.root, path: '' }], 0)
    if (expression === expressions.dead) {
      const { path, problem } = this.#dead ?? { path: '', problem: 'allows no value at all' }
      throw document.refusal(path, problem)
    }
    const broken = brokenReference(expressions, expression)
    if (broken !== undefined) throw document.refusal(broken, 'leads back to itself without end')
    return { expression, relaxed: document.relaxed }
  }

  readArguments(): { readonly all: readonly Argument[]; readonly relaxed: readonly Relaxation[] } {
    const { document } = this
    const { expressions } = this.json
    expressions.budget.place = document.where
    const { properties, required } = Object(document.root)
    const needed = new Set<unknown>(required)
    const all = Object.entries(Object(properties)).flatMap(([name, schema]): Argument[] => {
      const path = `/properties/${encodePointer(name)}`
      const value = this.at([{ schema, path }], 1)
      if (value !== expressions.dead) return [{ name, value, required: needed.has(name), schema }]
      if (needed.has(name)) throw document.refusal(path, 'allows no value at all')
      return []
    })
    const broken = brokenReference(expressions, expressions.sequence(all.map(({ value }) => value)))
    if (broken !== undefined) throw document.refusal(broken, 'leads back to itself without end')
    return { all, relaxed: document.relaxed }
  }

  at(parts: readonly Part[], depth: number): Expression {
    const { json, document } = this
    const { expressions } = json
    const said = parts.length === 1 ? this.#followed(parts) : this.#distinct(this.#followed(parts))
    const [first] = said
    if (first === undefined) return json.anyValue
    if (said.some(({ schema }) => schema === false)) return expressions.dead
    const key =
      said.length === 1 && first.quiet === undefined
        ? first.schema
        : said
            .map(({ schema, quiet }) => `${document.idOf(schema)}${quiet === undefined ? '' : 'q'}`)
            .toSorted()
            .join()
    const known = this.#places.get(key)
    if (known !== undefined) return known
    const { path } = first
    if (depth > SCHEMA_DEPTH_MAX) throw document.refusal(path, `is nested deeper than ${SCHEMA_DEPTH_MAX}`)
    if (++this.#parts > SCHEMA_PARTS_MAX) throw document.refusal('', `has more than ${SCHEMA_PARTS_MAX} parts`)
    const { budget } = expressions
    const around = budget.place
    budget.place = `${document.where}${path}`
    budget.spend(8)
    let target: Expression | undefined
    const reference = expressions.reference(path, () => target ?? expressions.dead)
    this.#places.set(key, reference)
    target = this.#whole(conjunctionOf(document, this.#overlap, said), depth)
    budget.place = around
    if (target !== expressions.dead) return reference
    this.noValue(path, 'allows no value at all')
    this.#places.set(key, target)
    return target
  }

  listed(parts: readonly Part[]): readonly unknown[] | undefined {
    const { plain, alternatives, impossible } = conjunctionOf(this.document, this.#overlap, this.#followed(parts))
    if (impossible) return []
    if (alternatives.length > 0) return undefined
    const values = this.#listed(plain) ?? this.#few(plain)
    return values && [...new Map(values.map(value => [canonical(value, this.document.budget), value])).values()]
  }

  noValue(path: string, problem: string): void {
    this.#dead ??= { path, problem }
  }

  /** Without what says nothing; a schema that only refers to another stands for it. */
  #followed(parts: readonly Part[]): readonly Part[] {
    return parts.map(part => this.#target(part)).filter(({ schema }) => schema !== true)
  }

  #distinct(parts: readonly Part[]): readonly Part[] {
    const seen = new Set<unknown>()
    return parts.filter(({ schema }) => {
      if (seen.has(schema) || (isSchema(schema) && !saysSomething(schema))) return false
      seen.add(schema)
      return true
    })
  }

  #target(part: Part): Part {
    let at = part
    const seen = new Set<unknown>()
    while (isSchema(at.schema) && at.schema.$ref !== undefined && !saysSomething(at.schema, '$ref')) {
      if (seen.has(at.schema)) throw this.document.refusal(at.path, 'leads back to itself without end')
      seen.add(at.schema)
      const target = this.document.resolve(at.schema.$ref, `${at.path}/$ref`)
      // what points out of this document is said to be relaxed where it is read
      if (target === undefined) return at
      at = part.quiet === undefined ? target : { ...target, quiet: part.quiet }
    }
    return at
  }

  #whole({ plain, alternatives, impossible }: Conjunction, depth: number): Expression {
    const { dead } = this.json.expressions
    if (impossible) return dead
    if (alternatives.length === 0) return this.#plain(plain, depth)
    const strict = alternatives.map(one => this.#heldApart(one, depth))
    const whole = this.#combined(plain, strict, depth)
    if (whole !== dead || strict.every(({ loose }) => loose === undefined)) return whole
    return this.#combined(
      plain,
      strict.map(one => this.#loosened(one)),
      depth
    )
  }

  /** Where one of them leaves nothing for itself, it was not told apart from the others. */
  #heldApart(one: Alternatives, depth: number): Alternatives {
    if (one.loose === undefined || one.loose.length < 2) return one
    const left = one.options.every(option => this.at([option], depth + 1) !== this.json.expressions.dead)
    return left ? one : this.#loosened(one)
  }

  #loosened(one: Alternatives): Alternatives {
    if (one.loose === undefined) return one
    this.document.relax(one.path, 'cannot be told apart from what it excludes')
    return { path: one.path, options: one.loose }
  }

  #combined(plain: readonly Part[], alternatives: readonly Alternatives[], depth: number): Expression {
    let combinations: (readonly Part[])[] = [plain]
    for (const { options } of alternatives) {
      this.document.budget.spend(combinations.length * options.length)
      combinations = combinations.flatMap(parts => options.map(option => [...parts, option]))
    }
    return this.json.expressions.choice(combinations.map(parts => this.at(parts, depth + 1)))
  }

  #plain(parts: readonly Part<Schema>[], depth: number): Expression {
    if (parts.length === 0) return this.json.anyValue
    const values = this.#listed(parts)
    if (values !== undefined) return this.json.oneOfValues(values)
    const types = allowedTypes(this.document, parts)
    if (types === undefined) return this.json.anyValue
    return this.json.expressions.choice(types.map(type => this.#ofType(type, parts, depth)))
  }

  /** The values that are all that may be, as far as they fit everything else. */
  #listed(parts: readonly Part<Schema>[]): readonly unknown[] | undefined {
    const lists = parts.filter(({ schema }) => 'const' in schema || schema.enum !== undefined)
    const [first] = lists
    if (first === undefined) return undefined
    const values = 'const' in first.schema ? [first.schema.const] : first.schema.enum
    if (!Array.isArray(values) || values.length > ENUM_VALUES_MAX) {
      throw this.document.refusal(`${first.path}/enum`, `is no list of up to ${ENUM_VALUES_MAX} values`)
    }
    return values.filter(value => parts.every(({ schema }) => this.#allows(schema, value, schema === first.schema)))
  }

  /** @param own the value is of the schema's own list */
  #allows(schema: Schema, value: unknown, own: boolean): boolean {
    this.document.budget.spend(1)
    if (typeof value === 'number' && !Number.isFinite(value)) return false
    if (schema[EXCLUDED]?.includes(value) === true) return false
    const pattern = schema[EXCLUDED_PATTERN]
    if (pattern !== undefined && typeof value === 'string' && this.values.matches(value, pattern) !== false)
      return false
    return own && !this.#saysMore(schema)
      ? allowedByType(this.document, schema, value)
      : this.values.fits(value, schema)
  }

  /** Whether anything but its list and its type decides. */
  #saysMore(schema: Schema): boolean {
    return this.document.derived(schema, 'says more', () => {
      const speaks = Object.values(KEYWORDS_OF).some(names => names.some(name => name in schema))
      return speaks || ('const' in schema && schema.enum !== undefined)
    })
  }

  /** Values that are few without being listed. */
  #few(parts: readonly Part<Schema>[]): readonly unknown[] | undefined {
    const types = allowedTypes(this.document, parts)
    const lists = types?.map(type => fewOf(type, parts)) ?? [undefined]
    if (lists.includes(undefined)) return undefined
    const values = lists.flatMap<unknown>(list => list ?? [])
    return values.filter(value => parts.every(({ schema }) => this.#allows(schema, value, false)))
  }

  #ofType(type: TypeName, parts: readonly Part<Schema>[], depth: number): Expression {
    switch (type) {
      case 'object':
        return objectExpression(this, parts, depth)
      case 'array':
        return arrayExpression(this, parts, depth)
      case 'string':
        return stringExpression(this, parts)
      case 'number':
      case 'integer':
        return numberExpression(this, parts, type === 'integer')
      case 'boolean':
        return this.json.oneOfValues([true, false].filter(value => !isExcluded(parts, value)))
      case 'null':
        return isExcluded(parts, null) ? this.json.expressions.dead : this.json.value(null)
    }
  }
}

function isExcluded(parts: readonly Part<Schema>[], value: unknown): boolean {
  return parts.some(({ schema }) => schema[EXCLUDED]?.includes(value))
}

function allowedByType(document: SchemaDocument, schema: Schema, value: unknown): boolean {
  const types = ownTypes(document, { schema, path: '' })
  return types === undefined || types.some(type => hasType(value, type))
}

/** All values of a type within limits, where that many can be listed. */
function fewOf(type: TypeName, parts: readonly Part<Schema>[]): readonly unknown[] | undefined {
  if (type === 'boolean') return [true, false]
  if (type === 'null') return [null]
  if (type !== 'integer') return undefined
  const limits = (...keywords: readonly string[]): readonly number[] =>
    parts.flatMap(({ schema }) => keywords.map(keyword => schema[keyword]).filter(limit => typeof limit === 'number'))
  const low = Math.ceil(Math.max(...limits('minimum', 'exclusiveMinimum')))
  const high = Math.floor(Math.min(...limits('maximum', 'exclusiveMaximum')))
  if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || high - low >= FEW_INTEGERS_MAX) return undefined
  return Array.from({ length: Math.max(0, high - low + 1) }, (_, at) => low + at)
}
