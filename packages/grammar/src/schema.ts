import { MeshError } from '@resultity/interface'
import type { Expression } from './expression.ts'
import { FORMAT_PATTERNS } from './formats.ts'
import { boundsOf, type JsonText, type Member } from './json-text.ts'
import { PatternRefusal, patternContent } from './pattern.ts'
import { brokenReference } from './references.ts'
import {
  ANNOTATIONS,
  ENUM_VALUES_MAX,
  isTypeName,
  KEYWORDS_OF,
  KNOWN,
  SCHEMA_DEPTH_MAX,
  SCHEMA_PARTS_MAX,
  TYPE_NAMES,
  type TypeName,
  WHOLE_KEYWORDS
} from './schema-keywords.ts'
import { SchemaOverlap } from './schema-overlap.ts'
import { shortPlace } from './work-budget.ts'

type Schema = Readonly<Record<string, unknown>>

/**
 * The JSON documents that are valid under `schema`, written with the members of an object in the order of
 * `properties`. Not every valid document is among them; every one among them is valid.
 *
 * @param where how the caller's input calls the schema: errors name places in it
 * @throws MeshError `invalid_request` naming the keyword and its place for what is no schema, cannot be held to, or
 *   has no document
 */
export function schemaExpression(json: JsonText, schema: unknown, where: string): Expression {
  return new SchemaReader(json, schema, where).read()
}

class SchemaReader {
  readonly #json: JsonText
  readonly #root: unknown
  readonly #where: string
  /** What a place in the schema stands for. A reference for each place keeps what is built linear in the schema. */
  readonly #places = new Map<unknown, Expression>()
  readonly #overlap: SchemaOverlap
  #parts = 0

  constructor(json: JsonText, root: unknown, where: string) {
    this.#json = json
    this.#root = root
    this.#where = where
    this.#overlap = new SchemaOverlap(json.expressions.budget, ref => this.#resolve(ref, where))
  }

  read(): Expression {
    const { expressions } = this.#json
    expressions.budget.place = this.#where
    const expression = this.#at(this.#root, '', 0)
    const broken = brokenReference(expressions, expression)
    if (broken !== undefined) throw this.#refusal(broken, 'leads back to itself without end')
    return expression
  }

  /** What may stand for the schema at `path`. */
  #at(schema: unknown, path: string, depth: number): Expression {
    if (schema === true) return this.#json.anyValue
    const known = this.#places.get(schema)
    if (known !== undefined) return known
    if (depth > SCHEMA_DEPTH_MAX) throw this.#refusal(path, `is nested deeper than ${SCHEMA_DEPTH_MAX}`)
    if (++this.#parts > SCHEMA_PARTS_MAX) throw this.#refusal('', `has more than ${SCHEMA_PARTS_MAX} parts`)
    if (!isObject(schema)) throw this.#refusal(path, 'is no schema: that is an object, or true')
    const { budget } = this.#json.expressions
    const around = budget.place
    budget.place = `${this.#where}${path}`
    budget.spend(8)
    let target: Expression | undefined
    const reference = this.#json.expressions.reference(path, () => target ?? this.#json.expressions.dead)
    this.#places.set(schema, reference)
    target = this.#whole(schema, path, depth)
    if (target === this.#json.expressions.dead) throw this.#refusal(path, 'allows no value at all')
    budget.place = around
    return reference
  }

  #whole(schema: Schema, path: string, depth: number): Expression {
    for (const keyword of Object.keys(schema)) {
      if (!KNOWN.has(keyword) && !keyword.startsWith('x-')) {
        throw this.#refusal(`${path}/${keyword}`, 'is a keyword that cannot be held to')
      }
    }
    const [keyword, ...others] = WHOLE_KEYWORDS.filter(name => name in schema)
    if (keyword === undefined) return this.#typed(schema, path, depth)
    if (others.length > 0) throw this.#refusal(`${path}/${others[0]}`, `cannot be held to beside ${keyword}`)
    if (keyword === 'enum' || keyword === 'const') return this.#listed(schema, path)
    for (const beside of Object.keys(schema)) {
      if (beside !== keyword && !ANNOTATIONS.has(beside) && !beside.startsWith('x-')) {
        throw this.#refusal(`${path}/${beside}`, `cannot be held to beside ${keyword}`)
      }
    }
    if (keyword === '$ref') return this.#referenced(schema.$ref, path, depth)
    return this.#alternatives(schema, keyword, path, depth)
  }

  #alternatives(schema: Schema, keyword: 'anyOf' | 'oneOf' | 'allOf', path: string, depth: number): Expression {
    const list = schema[keyword]
    const place = `${path}/${keyword}`
    if (!Array.isArray(list) || list.length === 0) throw this.#refusal(place, 'is no list of schemas')
    if (keyword === 'allOf' && list.length > 1) {
      throw this.#refusal(place, 'has several schemas, and only one can be held to', 'Merge them into one.')
    }
    if (keyword === 'oneOf' && this.#overlap.any(list)) {
      throw this.#refusal(
        place,
        'has schemas of which several may fit one value',
        'Use anyOf, or give each a type of its own, or a required property with a const of its own.'
      )
    }
    const options = list.map((option, index) => this.#at(option, `${place}/${index}`, depth + 1))
    return this.#json.expressions.choice(options)
  }

  #referenced(ref: unknown, path: string, depth: number): Expression {
    return this.#at(this.#resolve(ref, `${path}/$ref`), typeof ref === 'string' ? ref.slice(1) : path, depth + 1)
  }

  /** The schema that a `$ref` within this document points to. */
  #resolve(ref: unknown, place: string): unknown {
    if (typeof ref !== 'string' || !/^#(\/|$)/.test(ref)) {
      throw this.#refusal(place, 'must point into the same schema: "#", "#/$defs/NAME"')
    }
    this.#json.expressions.budget.spend(ref.length)
    let target: unknown = this.#root
    for (const step of ref.split('/').slice(1)) {
      const name = decodePointer(step)
      const holder = target
      target = isContainer(holder) && Object.hasOwn(holder, name) ? holder[name] : undefined
    }
    if (target === undefined) throw this.#refusal(place, `points to ${shortPlace(ref)}, where nothing is`)
    return target
  }

  #listed(schema: Schema, path: string): Expression {
    const values = 'const' in schema ? [schema.const] : schema.enum
    if (!Array.isArray(values) || values.length === 0 || values.length > ENUM_VALUES_MAX) {
      throw this.#refusal(`${path}/enum`, `is no list of 1 to ${ENUM_VALUES_MAX} values`)
    }
    for (const beside of Object.values(KEYWORDS_OF).flat()) {
      if (beside in schema) throw this.#refusal(`${path}/${beside}`, 'cannot be held to beside enum or const')
    }
    const types = this.#types(schema, path)
    const fitting = values.filter(value => types === undefined || types.some(type => hasType(value, type)))
    return this.#json.oneOfValues(fitting)
  }

  #typed(schema: Schema, path: string, depth: number): Expression {
    const types = this.#types(schema, path) ?? TYPE_NAMES.filter(type => KEYWORDS_OF[type].some(name => name in schema))
    if (types.length === 0) return this.#json.anyValue
    const distinct = types.includes('number') ? types.filter(type => type !== 'integer') : types
    return this.#json.expressions.choice(distinct.map(type => this.#ofType(type, schema, path, depth)))
  }

  #ofType(type: TypeName, schema: Schema, path: string, depth: number): Expression {
    switch (type) {
      case 'object':
        return this.#object(schema, path, depth)
      case 'array':
        return this.#array(schema, path, depth)
      case 'string':
        return this.#string(schema, path)
      case 'number':
      case 'integer':
        return this.#number(schema, path, type === 'integer')
      case 'boolean':
        return this.#json.oneOfValues([true, false])
      case 'null':
        return this.#json.value(null)
    }
  }

  #object(schema: Schema, path: string, depth: number): Expression {
    const properties = schema.properties ?? {}
    if (!isObject(properties)) throw this.#refusal(`${path}/properties`, 'is no object of schemas')
    const required = this.#names(schema, path)
    if (schema.propertyNames !== undefined && !saysNothing(schema.propertyNames)) {
      throw this.#refusal(`${path}/propertyNames`, 'cannot be held to, unless it is {"type":"string"}')
    }
    const extra = this.#extra(schema, path, depth)
    const declared: Member[] = Object.entries(properties).map(([name, value]) => ({
      name,
      value: this.#at(value, `${path}/properties/${encodePointer(name)}`, depth + 1),
      required: required.has(name)
    }))
    const undeclared = [...required].filter(name => !Object.hasOwn(properties, name))
    if (undeclared.length > 0 && schema.additionalProperties === false) {
      throw this.#refusal(`${path}/required`, `names "${undeclared[0]}", which additionalProperties forbids`)
    }
    const further = undeclared.map(name => ({ name, value: extra ?? this.#json.anyValue, required: true }))
    return this.#json.object([...declared, ...further], extra)
  }

  /** What members that are not declared may hold; none may come where declared ones are all that was spoken of. */
  #extra(schema: Schema, path: string, depth: number): Expression | undefined {
    const { additionalProperties } = schema
    if (additionalProperties === false) return undefined
    if (additionalProperties !== undefined) {
      return this.#at(additionalProperties, `${path}/additionalProperties`, depth + 1)
    }
    return schema.properties === undefined && schema.required === undefined ? this.#json.anyValue : undefined
  }

  #names(schema: Schema, path: string): Set<string> {
    const names = schema.required ?? []
    if (!Array.isArray(names) || !names.every(name => typeof name === 'string')) {
      throw this.#refusal(`${path}/required`, 'is no list of names')
    }
    return new Set(names)
  }

  #array(schema: Schema, path: string, depth: number): Expression {
    if (this.#flag(schema, 'uniqueItems', path)) throw this.#refusal(`${path}/uniqueItems`, 'cannot be held to')
    const older = Array.isArray(schema.items)
    const prefix = older ? schema.items : (schema.prefixItems ?? [])
    if (!Array.isArray(prefix)) throw this.#refusal(`${path}/prefixItems`, 'is no list of schemas')
    const restName = older ? 'additionalItems' : 'items'
    const rest = schema[restName]
    const min = this.#count(schema, 'minItems', path) ?? 0
    const max = this.#count(schema, 'maxItems', path) ?? Number.POSITIVE_INFINITY
    return this.#json.array({
      prefix: prefix.map((item, index) =>
        this.#at(item, `${path}/${older ? 'items' : 'prefixItems'}/${index}`, depth + 1)
      ),
      rest: rest === false ? undefined : this.#at(rest ?? true, `${path}/${restName}`, depth + 1),
      min,
      max
    })
  }

  #string(schema: Schema, path: string): Expression {
    const min = this.#count(schema, 'minLength', path)
    const max = this.#count(schema, 'maxLength', path)
    // beside a pattern, a format is the annotation that JSON Schema takes it for
    const name = schema.pattern === undefined ? 'format' : 'pattern'
    const pattern = schema.pattern ?? this.#formatPattern(schema.format, path)
    if (pattern === undefined) return this.#json.string(min, max)
    if (min !== undefined || max !== undefined) {
      throw this.#refusal(
        `${path}/${name}`,
        `cannot be held to beside ${min === undefined ? 'maxLength' : 'minLength'}`
      )
    }
    if (typeof pattern !== 'string') throw this.#refusal(`${path}/pattern`, 'is no text')
    try {
      return this.#json.quoted(patternContent(this.#json, pattern))
    } catch (error) {
      if (!(error instanceof PatternRefusal)) throw error
      throw this.#refusal(`${path}/${name}`, `cannot be held to: ${error.message}`)
    }
  }

  #formatPattern(format: unknown, path: string): string | undefined {
    if (format === undefined) return undefined
    const pattern = typeof format === 'string' ? FORMAT_PATTERNS[format] : undefined
    if (pattern !== undefined) return pattern
    const known = Object.keys(FORMAT_PATTERNS).join(', ')
    throw this.#refusal(`${path}/format`, `"${String(format)}" cannot be held to`, `These can: ${known}.`)
  }

  #number(schema: Schema, path: string, integer: boolean): Expression {
    const limits: Record<string, number> = {}
    for (const keyword of KEYWORDS_OF.number) {
      const value = schema[keyword]
      if (value === undefined) continue
      if (typeof value !== 'number') throw this.#refusal(`${path}/${keyword}`, 'is no number')
      limits[keyword] = value
    }
    const { multipleOf } = limits
    if (multipleOf !== undefined && !(Number.isSafeInteger(multipleOf) && multipleOf > 0)) {
      throw this.#refusal(`${path}/multipleOf`, 'cannot be held to unless it is a whole number')
    }
    const whole = integer || multipleOf !== undefined
    return this.#json.number(boundsOf({ integer: whole, ...limits }), whole)
  }

  #types(schema: Schema, path: string): readonly TypeName[] | undefined {
    if (schema.type === undefined) return undefined
    const names: readonly unknown[] = Array.isArray(schema.type) ? schema.type : [schema.type]
    const types = names.filter(isTypeName)
    if (types.length < names.length || types.length === 0) {
      throw this.#refusal(`${path}/type`, `is none of ${TYPE_NAMES.join(', ')}, nor a list of them`)
    }
    return this.#flag(schema, 'nullable', path) ? [...types, 'null'] : types
  }

  #count(schema: Schema, keyword: string, path: string): number | undefined {
    const value = schema[keyword]
    if (value === undefined) return undefined
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
    throw this.#refusal(`${path}/${keyword}`, 'is no whole number from 0 up')
  }

  #flag(schema: Schema, keyword: string, path: string): boolean {
    const value = schema[keyword]
    if (value === undefined || typeof value === 'boolean') return value === true
    throw this.#refusal(`${path}/${keyword}`, 'is neither true nor false')
  }

  #refusal(path: string, problem: string, hint = 'Leave it out, or say it another way.'): MeshError {
    const place = shortPlace(`${this.#where}${path}`)
    return new MeshError('invalid_request', `${place} ${problem}`, { hint, details: { param: place } })
  }
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An object, or a list, which a pointer may lead through too. */
function isContainer(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null
}

function hasType(value: unknown, type: TypeName): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isObject(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

/** A schema of names that every name fits. */
function saysNothing(schema: unknown): boolean {
  if (schema === true) return true
  if (!isObject(schema) || (schema.type !== undefined && schema.type !== 'string')) return false
  return Object.keys(schema).every(keyword => keyword === 'type' || ANNOTATIONS.has(keyword))
}

function decodePointer(step: string): string {
  try {
    return decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    // a name with a percent sign of its own
    return step.replaceAll('~1', '/').replaceAll('~0', '~')
  }
}

function encodePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
