import { discriminated } from './discriminator.ts'
import { COMBINATIONS_MAX, CONJUNCTS_MAX } from './limits.ts'
import { forbidding, negated } from './negation.ts'
import {
  CLOSING,
  encodePointer,
  isSchema,
  type Part,
  QUIET,
  type Schema,
  type SchemaDocument,
  SILENT,
  saysSomething
} from './schema-document.ts'
import { kindOf } from './schema-keywords.ts'
import type { SchemaOverlap } from './schema-overlap.ts'

/** One of these must hold. */
export interface Alternatives {
  readonly path: string
  readonly options: readonly Part[]
  /** Used instead where the others leave no document; the others are then not enforced. */
  readonly loose?: readonly Part[]
}

/** Schemas that hold at once, with all that they apply in place written out. */
export interface Conjunction {
  /** None of them applies another schema to the same value. */
  readonly plain: readonly Part<Schema>[]
  readonly alternatives: readonly Alternatives[]
  /** No value fits. */
  readonly impossible: boolean
}

/**
 * Writes out `parts`: references and `allOf` are followed, conditions become alternatives, and what an alternative is
 * beside stays with it.
 *
 * @throws MeshError `invalid_request` for what is no schema
 */
export function conjunctionOf(document: SchemaDocument, overlap: SchemaOverlap, parts: readonly Part[]): Conjunction {
  return new Conjuncts(document, overlap).read(parts)
}

class Conjuncts {
  readonly #document: SchemaDocument
  readonly #overlap: SchemaOverlap
  readonly #plain: Part<Schema>[] = []
  readonly #alternatives: Alternatives[] = []
  readonly #seen = new Set<unknown>()
  readonly #path = new Set<unknown>()
  #only: unknown
  #impossible = false

  constructor(document: SchemaDocument, overlap: SchemaOverlap) {
    this.#document = document
    this.#overlap = overlap
  }

  read(parts: readonly Part[]): Conjunction {
    this.#only = parts.length === 1 ? parts[0]?.schema : undefined
    for (const part of parts) this.#add(part)
    return { plain: this.#plain, alternatives: this.#combinable(), impossible: this.#impossible }
  }

  #add({ schema, path, quiet: inherited }: Part): void {
    if (schema === true) return
    if (schema === false) {
      this.#impossible = true
      return
    }
    if (!isSchema(schema)) throw this.#document.refusal(path, 'is no schema: that is an object, true or false')
    if (this.#path.has(schema)) throw this.#document.refusal(path, 'leads back to itself without end')
    if (this.#seen.has(schema)) return
    this.#seen.add(schema)
    const mark = inherited === true || schema[QUIET] ? ({ quiet: true } as const) : {}
    this.#document.budget.spend(4)
    if (this.#seen.size > CONJUNCTS_MAX) throw this.#document.refusal(path, 'joins too many schemas in one place')
    let inPlace = false
    for (const keyword of Object.keys(schema)) {
      const kind = kindOf(keyword)
      if (kind === 'in place') inPlace = true
      if (kind === 'not followed') this.#document.relax(`${path}/${keyword}`, 'is a keyword that cannot be held to')
    }
    if (schema.required === true) {
      const hint = 'List the name in "required" of the object.'
      this.#document.relax(`${path}/required`, 'is true, as in draft 3', hint)
    }
    if (!inPlace) {
      this.#plain.push({ schema, path, ...mark })
      return
    }
    this.#path.add(schema)
    const closing = schema === this.#only
    const rest = this.#document.derived(schema, closing ? 'closing rest' : 'rest', () =>
      withoutInPlace(schema, closing)
    )
    if (saysSomething(rest)) this.#plain.push({ schema: rest, path, ...mark })
    this.#follow({ schema, path, ...mark })
    this.#path.delete(schema)
  }

  #follow(part: Part<Schema>): void {
    const { schema, path } = part
    const { $ref: ref, not } = schema
    const mark = part.quiet === undefined ? {} : { quiet: part.quiet }
    if (ref !== undefined) {
      const target = this.#document.resolve(ref, `${path}/$ref`)
      if (target === undefined) this.#relaxOutside(path)
      else this.#add({ ...target, ...mark })
    }
    for (const one of this.#listed(part, 'allOf')) this.#add(one)
    if (schema.anyOf !== undefined) this.#either(`${path}/anyOf`, this.#listed(part, 'anyOf'))
    if (schema.oneOf !== undefined) this.#oneOf(part, this.#listed(part, 'oneOf'))
    if (not !== undefined) this.#not(not, `${path}/not`)
    if (schema.if !== undefined) this.#condition(part)
    for (const keyword of ['dependentRequired', 'dependentSchemas', 'dependencies']) {
      if (schema[keyword] !== undefined) this.#dependents(part, keyword)
    }
  }

  #relaxOutside(path: string): void {
    this.#document.relax(
      `${path}/$ref`,
      'must point into the same schema: "#", "#/$defs/NAME"',
      'Put what it points to under $defs.'
    )
  }

  #listed({ schema, path, ...mark }: Part<Schema>, keyword: 'allOf' | 'anyOf' | 'oneOf'): readonly Part[] {
    const list = schema[keyword]
    if (list === undefined) return []
    const place = `${path}/${keyword}`
    if (!Array.isArray(list) || list.length === 0) throw this.#document.refusal(place, 'is no list of schemas')
    return list.map((one, index) => ({ schema: one, path: `${place}/${index}`, ...mark }))
  }

  #either(path: string, options: readonly Part[]): void {
    const [only] = options
    if (only === undefined) this.#impossible = true
    else if (options.length === 1) this.#add(only)
    else this.#alternatives.push({ path, options })
  }

  #oneOf({ schema, path: around, ...mark }: Part<Schema>, options: readonly Part[]): void {
    const path = `${around}/oneOf`
    const apart = this.#overlap.apart(schema, options)
    const marked = (all: readonly Part[]): readonly Part[] => all.map(one => ({ ...one, ...mark }))
    const named = apart.type === 'apart' ? undefined : discriminated(this.#document, schema, options)
    if (apart.type === 'overlapping' || named !== undefined) {
      this.#document.relax(
        path,
        'has schemas of which several may fit one value',
        'Use anyOf, or give each a type of its own, or a property with a const of its own.'
      )
    }
    if (apart.type === 'exclusive' && named === undefined) {
      this.#alternatives.push({ path, options: marked(apart.options), loose: options })
    } else this.#either(path, marked(named ?? apart.options))
  }

  #not(schema: unknown, path: string): void {
    if (!isSchema(schema) && typeof schema !== 'boolean') throw this.#document.refusal(path, 'is no schema')
    const others = negated(this.#document, schema)
    if (others === undefined) {
      this.#document.relax(path, 'is a keyword that cannot be held to')
      return
    }
    const options = others.options.map(other => ({ schema: other, path, quiet: true as const }))
    if (others.complete) this.#either(path, options)
    else this.#alternatives.push({ path, options, loose: [{ schema: true, path }] })
  }

  #condition({ schema, path, ...mark }: Part<Schema>): void {
    const { if: condition, then: yes = true, else: no = true } = schema
    if (yes === true && no === true) return
    const others = negated(this.#document, condition)
    if (others === undefined) {
      this.#document.relax(`${path}/if`, 'is a condition that cannot be held to')
      return
    }
    const options = this.#document.derived(schema, 'if', () => [
      { schema: { allOf: [condition, yes] }, path: `${path}/then` },
      ...others.options.map(other => {
        return { schema: { allOf: [{ allOf: [other], [QUIET]: true }, no] }, path: `${path}/else` }
      })
    ])
    const marked = options.map(option => ({ ...option, ...mark }))
    this.#alternatives.push({ path: `${path}/if`, options: marked, loose: [{ schema: true, path }] })
  }

  #dependents({ schema: holder, path: around, ...mark }: Part<Schema>, keyword: string): void {
    const dependents = holder[keyword]
    const path = `${around}/${keyword}`
    if (!isSchema(dependents)) throw this.#document.refusal(path, 'is no object')
    for (const [name, needed] of Object.entries(dependents)) {
      const place = `${path}/${encodePointer(name)}`
      const schema = Array.isArray(needed) ? { type: 'object', required: needed, [SILENT]: true } : needed
      const named = { type: 'object', required: [name], [SILENT]: true }
      // its members are evaluated only where the member that asks for it is there
      const asked = holder.unevaluatedProperties === undefined ? schema : { allOf: [named, schema] }
      const options = this.#document.derived(dependents, name, () => [
        { schema: forbidding(name), path: place },
        { schema: asked, path: place }
      ])
      this.#either(
        place,
        options.map(option => ({ ...option, ...mark }))
      )
    }
  }

  /** As many as can be combined, those with most options left out. */
  #combinable(): readonly Alternatives[] {
    const left = this.#alternatives.toSorted((a, b) => a.options.length - b.options.length)
    let ways = 1
    const kept = left.filter(({ path, options }, index) => {
      // one list alone combines with nothing
      if (index === 0 || ways * options.length <= COMBINATIONS_MAX) {
        ways *= options.length
        return true
      }
      this.#document.relax(path, 'cannot be held to: it combines with others in too many ways')
      return false
    })
    return this.#alternatives.filter(one => kept.includes(one))
  }
}

function withoutInPlace(schema: Schema, closing: boolean): Schema {
  const rest: Record<string | symbol, unknown> = { ...schema }
  for (const keyword of Object.keys(schema)) if (kindOf(keyword) === 'in place') delete rest[keyword]
  if (closing) rest[CLOSING] = true
  return rest
}
