import { MeshError } from '@resultity/interface'
import { canonical } from './canonical.ts'
import { decimalOf, rescaled } from './decimal.ts'
import { after } from './derivative.ts'
import type { Expression } from './expression.ts'
import { FORMAT_PATTERNS } from './formats.ts'
import type { JsonText } from './json-text.ts'
import { patternContent } from './pattern.ts'
import { PatternRefusal } from './pattern-part.ts'
import { isSchema, type Schema, type SchemaDocument } from './schema-document.ts'
import { kindOf } from './schema-keywords.ts'

/** Unknown where a keyword cannot be decided. */
type Verdict = boolean | undefined

const DEPTH_MAX = 64

type Rule = (value: unknown, keyword: unknown, schema: Schema, depth: number) => Verdict

/** Decides which of the values that a schema lists fit what else it says. */
export class SchemaValues {
  readonly #json: JsonText
  readonly #document: SchemaDocument
  readonly #patterns = new Map<string, Expression | undefined>()
  readonly #rules: Readonly<Record<string, Rule>>

  constructor(json: JsonText, document: SchemaDocument) {
    this.#json = json
    this.#document = document
    this.#rules = this.#allRules()
  }

  /** Whether `value` certainly fits. */
  fits(value: unknown, schema: unknown): boolean {
    return this.#verdict(value, schema, 0) === true
  }

  /** Whether a pattern is found in `text`; undefined where the pattern cannot be followed. */
  matches(text: string, pattern: string): Verdict {
    let state = this.content(pattern)
    const written = JSON.stringify(text).slice(1, -1)
    // a character that patterns spell in no way
    if (state === undefined || /\\u/.test(written.replaceAll('\\\\', ''))) return undefined
    const bytes = new TextEncoder().encode(written)
    this.#document.budget.spend(bytes.length)
    for (const byte of bytes) {
      state = after(this.#json.expressions, state, byte)
      if (state === undefined) return false
    }
    return state.nullable
  }

  /** The texts that a pattern is found in, as the content of a string; undefined where it cannot be followed. */
  content(pattern: string): Expression | undefined {
    if (!this.#patterns.has(pattern)) this.#patterns.set(pattern, this.#read(pattern))
    return this.#patterns.get(pattern)
  }

  #read(pattern: string): Expression | undefined {
    try {
      return patternContent(this.#json, pattern).expression
    } catch (error) {
      if (error instanceof PatternRefusal || error instanceof MeshError) return undefined
      throw error
    }
  }

  #verdict(value: unknown, schema: unknown, depth: number): Verdict {
    if (typeof schema === 'boolean') return schema
    if (!isSchema(schema) || depth > DEPTH_MAX) return undefined
    const verdicts: Verdict[] = []
    for (const keyword of Object.keys(schema)) {
      this.#document.budget.spend(2)
      if (kindOf(keyword) === undefined) continue
      const rule = Object.hasOwn(this.#rules, keyword) ? this.#rules[keyword] : undefined
      const verdict = rule?.(value, schema[keyword], schema, depth + 1)
      if (verdict === false) return false
      verdicts.push(verdict)
    }
    return all(verdicts)
  }

  #some(value: unknown, schemas: unknown, depth: number): Verdict[] {
    return Array.isArray(schemas) ? schemas.map(schema => this.#verdict(value, schema, depth)) : [undefined]
  }

  #allRules(): Readonly<Record<string, Rule>> {
    return {
      ...this.#textRules(),
      ...this.#arrayRules(),
      ...this.#objectRules(),
      ...this.#inPlaceRules(),
      ...numberRules
    }
  }

  #each(values: readonly unknown[], schema: unknown, depth: number): Verdict {
    return all(values.map(value => this.#verdict(value, schema, depth)))
  }

  #textRules(): Readonly<Record<string, Rule>> {
    const budget = this.#document.budget
    const same = (one: unknown, other: unknown): boolean => canonical(one, budget) === canonical(other, budget)
    return {
      type: (value, type, { nullable }) =>
        (Array.isArray(type) ? type : [type]).some(name => hasType(value, name)) ||
        (nullable === true && value === null),
      nullable: () => true,
      const: (value, constant) => same(value, constant),
      enum: (value, values) => Array.isArray(values) && values.some(one => same(value, one)),
      minLength: (value, least) => typeof value !== 'string' || [...value].length >= Number(least),
      maxLength: (value, most) => typeof value !== 'string' || [...value].length <= Number(most),
      pattern: (value, pattern) =>
        typeof value !== 'string' || (typeof pattern === 'string' ? this.matches(value, pattern) : undefined),
      // of a format only a part of its texts is known
      format: (value, format) => {
        const known = typeof format === 'string' && Object.hasOwn(FORMAT_PATTERNS, format)
        if (typeof value !== 'string' || !known) return true
        return this.matches(value, FORMAT_PATTERNS[format] ?? '') || undefined
      }
    }
  }

  #arrayRules(): Readonly<Record<string, Rule>> {
    const { budget } = this.#document
    const isSet = (items: readonly unknown[]): boolean =>
      new Set(items.map(item => canonical(item, budget))).size === items.length
    const inOrder = (items: readonly unknown[], schemas: readonly unknown[], depth: number): Verdict =>
      all(items.slice(0, schemas.length).map((item, at) => this.#verdict(item, schemas[at], depth)))
    return {
      minItems: (value, least) => !Array.isArray(value) || value.length >= Number(least),
      maxItems: (value, most) => !Array.isArray(value) || value.length <= Number(most),
      uniqueItems: (value, unique) => unique !== true || !Array.isArray(value) || isSet(value),
      items: (value, items, { prefixItems }, depth) => {
        if (!Array.isArray(value)) return true
        if (Array.isArray(items)) return inOrder(value, items, depth)
        return this.#each(value.slice(Array.isArray(prefixItems) ? prefixItems.length : 0), items, depth)
      },
      prefixItems: (value, prefix, _schema, depth) =>
        !Array.isArray(value) || !Array.isArray(prefix) || inOrder(value, prefix, depth),
      additionalItems: (value, schema, { items }, depth) =>
        !Array.isArray(value) || !Array.isArray(items) || this.#each(value.slice(items.length), schema, depth)
    }
  }

  #objectRules(): Readonly<Record<string, Rule>> {
    return {
      minProperties: (value, least) => !isSchema(value) || Object.keys(value).length >= Number(least),
      maxProperties: (value, most) => !isSchema(value) || Object.keys(value).length <= Number(most),
      required: (value, names) =>
        !isSchema(value) || !Array.isArray(names) || names.every(name => Object.hasOwn(value, String(name))),
      properties: (value, properties, _schema, depth) => {
        if (!isSchema(value) || !isSchema(properties)) return true
        const present = Object.entries(properties).filter(([name]) => Object.hasOwn(value, name))
        return all(present.map(([name, schema]) => this.#verdict(value[name], schema, depth)))
      },
      additionalProperties: (value, schema, { properties, patternProperties }, depth) => {
        if (!isSchema(value)) return true
        if (patternProperties !== undefined) return undefined
        const others = Object.keys(value).filter(name => !isSchema(properties) || !Object.hasOwn(properties, name))
        return all(others.map(name => this.#verdict(value[name], schema, depth)))
      },
      propertyNames: (value, schema, _schema, depth) =>
        !isSchema(value) || this.#each(Object.keys(value), schema, depth)
    }
  }

  #inPlaceRules(): Readonly<Record<string, Rule>> {
    return {
      allOf: (value, schemas, _schema, depth) => all(this.#some(value, schemas, depth)),
      anyOf: (value, schemas, _schema, depth) => any(this.#some(value, schemas, depth)),
      oneOf: (value, schemas, _schema, depth) => {
        const verdicts = this.#some(value, schemas, depth)
        if (verdicts.includes(undefined)) return undefined
        return verdicts.filter(verdict => verdict === true).length === 1
      },
      not: (value, schema, _schema, depth) => negation(this.#verdict(value, schema, depth)),
      $ref: (value, ref, _schema, depth) => {
        const target = this.#document.resolve(ref, '/$ref')
        return target === undefined ? undefined : this.#verdict(value, target.schema, depth)
      }
    }
  }
}

const numberRules: Readonly<Record<string, Rule>> = {
  minimum: (value, least, { exclusiveMinimum }) =>
    typeof value !== 'number' || value > Number(least) || (value === least && exclusiveMinimum !== true),
  maximum: (value, most, { exclusiveMaximum }) =>
    typeof value !== 'number' || value < Number(most) || (value === most && exclusiveMaximum !== true),
  exclusiveMinimum: (value, least) => typeof value !== 'number' || typeof least === 'boolean' || value > Number(least),
  exclusiveMaximum: (value, most) => typeof value !== 'number' || typeof most === 'boolean' || value < Number(most),
  multipleOf: (value, step) => {
    if (typeof value !== 'number' || typeof step !== 'number' || step <= 0) return true
    const [one, other] = [decimalOf(value), decimalOf(step)]
    const finest = Math.max(one.scale, other.scale)
    return rescaled(one, finest) % rescaled(other, finest) === 0n
  }
}

export function hasType(value: unknown, type: unknown): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isSchema(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

function all(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes(false)) return false
  return verdicts.includes(undefined) ? undefined : true
}

function any(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes(true)) return true
  return verdicts.includes(undefined) ? undefined : false
}

function negation(verdict: Verdict): Verdict {
  return verdict === undefined ? undefined : !verdict
}
