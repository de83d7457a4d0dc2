import { meet } from './derivative.ts'
import type { Expression } from './expression.ts'
import { countedObject } from './json-object.ts'
import type { Member } from './json-text.ts'
import { COUNTED_MAX, NAME_PATTERNS_MAX } from './limits.ts'
import { type MemberRules, memberRules } from './member-rules.ts'
import { isSchema, type Part, type Schema } from './schema-document.ts'
import { placeOf, rangeOf, type SchemaScope } from './schema-scope.ts'
import { shortPlace } from './work-budget.ts'

/** Every name. */
const NAME: Schema = { type: 'string' }

/** The objects that all of `parts` allow, their members in the order in which they are declared. */
export function objectExpression(scope: SchemaScope, parts: readonly Part<Schema>[], depth: number): Expression {
  return new ObjectReader(scope, parts, depth).read()
}

class ObjectReader {
  readonly #scope: SchemaScope
  readonly #parts: readonly Part<Schema>[]
  readonly #depth: number
  readonly #rules: readonly MemberRules[]
  readonly #nameRules: readonly Part[]

  constructor(scope: SchemaScope, parts: readonly Part<Schema>[], depth: number) {
    this.#scope = scope
    this.#parts = parts
    this.#depth = depth
    this.#rules = parts.map(part => memberRules(scope, part, parts.length === 1))
    this.#nameRules = parts.flatMap(({ schema, path }) =>
      schema.propertyNames === undefined || saysNothingOfNames(schema.propertyNames)
        ? []
        : [{ schema: schema.propertyNames, path: `${path}/propertyNames` }]
    )
  }

  read(): Expression {
    const { json, document } = this.#scope
    const { dead } = json.expressions
    const required = new Set(this.#rules.flatMap(rule => [...rule.required]))
    const listed = this.#nameRules.length === 0 ? undefined : this.#listedNames()
    const names = new Set([...this.#rules.flatMap(rule => [...rule.properties.keys()]), ...required, ...(listed ?? [])])
    const members: Member[] = []
    for (const name of names) {
      const value = this.#fitsNames(name) ? this.#declared(name) : dead
      if (value !== dead) members.push({ name, value, required: required.has(name) })
      else if (required.has(name)) {
        this.#scope.noValue(
          placeOf(this.#parts, 'required'),
          `names ${JSON.stringify(shortPlace(name))}, which nothing may be`
        )
        return dead
      }
    }
    const extra = listed === undefined ? this.#extra([...names]) : undefined
    const { min, max } = rangeOf(document, this.#parts, 'minProperties', 'maxProperties')
    if (min <= required.size && max >= (extra === undefined ? members.length : Number.POSITIVE_INFINITY)) {
      return json.object(members, extra)
    }
    return this.#counted(members, extra, min, max)
  }

  #counted(members: readonly Member[], extra: Expression | undefined, min: number, max: number): Expression {
    const { json, document } = this.#scope
    // of members without a declared name, two may have the same
    const distinct = members.length + (extra === undefined ? 0 : 1)
    const tooMany = members.length * Math.min(members.length, Number.isFinite(max) ? max : min) > COUNTED_MAX
    if (tooMany || (extra !== undefined && min > distinct)) {
      const keyword = tooMany && Number.isFinite(max) ? 'maxProperties' : 'minProperties'
      document.relax(placeOf(this.#parts, keyword), 'cannot be held to: there are too many members to count')
      return json.object(members, extra)
    }
    return countedObject(json, members, extra, { min, max })
  }

  /** What a member that is named somewhere holds. */
  #declared(name: string): Expression {
    return this.#value(rule => {
      const own = rule.properties.get(name)
      const matching = rule.patterns.filter(({ pattern }) => this.#matches(name, pattern))
      return [...(own === undefined ? [] : [own]), ...matching.map(({ value }) => value)]
    })
  }

  /** What a member holds of which the rules say this. */
  #value(said: (rule: MemberRules) => readonly Part[]): Expression {
    const spoken = this.#rules.map(rule => {
      const parts = said(rule)
      return { rule, parts: parts.length > 0 || rule.others === undefined ? parts : [rule.others] }
    })
    const isEvaluated = spoken.some(({ rule, parts }) => rule.evaluates && parts.length > 0)
    const unevaluated = isEvaluated ? [] : this.#rules.flatMap(rule => rule.unevaluated ?? [])
    return this.#scope.at([...spoken.flatMap(({ parts }) => parts), ...unevaluated], this.#depth + 1)
  }

  #matches(name: string, pattern: string): boolean {
    return this.#scope.values.matches(name, pattern) === true
  }

  #fitsNames(name: string): boolean {
    return this.#nameRules.every(({ schema }) => this.#scope.values.fits(name, schema))
  }

  /** Names that are all that there may be, where they are listed. */
  #listedNames(): readonly string[] | undefined {
    const names = this.#scope.listed([{ schema: NAME, path: '' }, ...this.#nameRules])
    if (names === undefined) return undefined
    return this.#isClosed(0) ? [] : names.filter(name => typeof name === 'string')
  }

  /** Without a word of other members, none may come where some are declared. */
  #isClosed(matched: number): boolean {
    const spoken = this.#rules.some(({ others, unevaluated }) => others !== undefined || unevaluated !== undefined)
    return matched === 0 && !spoken && this.#rules.some(({ declares }) => declares)
  }

  /** Members that are not declared: by which of the patterns their names match. */
  #extra(names: readonly string[]): Expression | undefined {
    const { json } = this.#scope
    const patterns = [...new Set(this.#rules.flatMap(rule => rule.patterns.map(({ pattern }) => pattern)))]
    if (patterns.length > NAME_PATTERNS_MAX) {
      // none is allowed where it is not known what it must hold
      return undefined
    }
    const classes: Expression[] = []
    for (let matched = 0; matched < 1 << patterns.length; matched++) {
      if (this.#isClosed(matched)) continue
      const isMatched = (pattern: string): boolean => (matched & (1 << patterns.indexOf(pattern))) !== 0
      const value = this.#value(rule =>
        rule.patterns.filter(({ pattern }) => isMatched(pattern)).map(({ value: part }) => part)
      )
      if (value === json.expressions.dead) continue
      const name = this.#nameOf(
        names,
        patterns.filter(isMatched),
        patterns.filter(pattern => !isMatched(pattern))
      )
      classes.push(json.member(name, value))
    }
    const whole = json.expressions.choice(classes)
    return whole === json.expressions.dead ? undefined : whole
  }

  /** A name that none of `names` is, that has all of some patterns and none of others. */
  #nameOf(names: readonly string[], having: readonly string[], lacking: readonly string[]): Expression {
    const { json } = this.#scope
    const { expressions } = json
    if (having.length + lacking.length + this.#nameRules.length === 0) return json.otherName(names)
    const all = [json.plainName(names), ...having.map(pattern => this.#scope.values.content(pattern))]
    const rules = this.#nameRules.map(rule =>
      this.#scope.at([{ schema: NAME, path: rule.path }, rule], this.#depth + 1)
    )
    if (all.includes(undefined) || rules.includes(expressions.dead)) return expressions.dead
    const quoted = all.flatMap((one, index) => (one === undefined ? [] : [index === 0 ? one : json.quoted(one)]))
    const none = lacking.flatMap(pattern => this.#scope.values.content(pattern) ?? []).map(one => json.quoted(one))
    return meet(expressions, [...quoted, ...rules], expressions.choice(none))
  }
}

/** A schema of names that every name fits. */
function saysNothingOfNames(schema: unknown): boolean {
  if (schema === true) return true
  return isSchema(schema) && Object.keys(schema).every(keyword => keyword === 'type' && schema.type === 'string')
}
