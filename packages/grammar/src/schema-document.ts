import { MeshError } from '@resultity/interface'
import { RELAXED_MAX } from './limits.ts'
import { kindOf } from './schema-keywords.ts'
import { shortPlace, type WorkBudget } from './work-budget.ts'

/** A schema of this package's own making says nothing of members that it does not name. */
export const SILENT = Symbol('says nothing of other members')
/** Values that are not allowed. */
export const EXCLUDED = Symbol('excluded values')
/** A pattern that is not allowed. */
export const EXCLUDED_PATTERN = Symbol('excluded pattern')

/** What `unevaluated…` of a schema speaks of is all that holds beside it: nothing around it adds to that. */
export const CLOSING = Symbol('closes what holds beside it')

/** It holds because another schema does not. The members that it names do not count as evaluated. */
export const QUIET = Symbol('evaluates nothing')

export interface Schema {
  readonly [keyword: string]: unknown
  readonly [SILENT]?: true
  readonly [CLOSING]?: true
  readonly [QUIET]?: true
  readonly [EXCLUDED]?: readonly unknown[]
  readonly [EXCLUDED_PATTERN]?: string
}

/** A schema, and its place as a JSON pointer. */
export interface Part<Value = unknown> {
  readonly schema: Value
  readonly path: string
  /** It is {@link QUIET}, or within such a schema. */
  readonly quiet?: true
}

/** A keyword that is not enforced. */
export interface Relaxation {
  /** Its place, a JSON pointer into the schema. */
  readonly path: string
  readonly problem: string
  readonly hint: string
}

/** The whole schema: what its references point to, and what is wrong with it. */
export class SchemaDocument {
  readonly root: unknown
  readonly where: string
  readonly budget: WorkBudget
  readonly #relaxed = new Map<string, Relaxation>()
  readonly #derived = new Map<unknown, Map<string, unknown>>()
  readonly #ids = new Map<unknown, number>()
  #anchors: ReadonlyMap<string, unknown> | undefined

  constructor(root: unknown, where: string, budget: WorkBudget) {
    this.root = root
    this.where = where
    this.budget = budget
  }

  /** Keywords that are not enforced, as many as the list takes. */
  get relaxed(): readonly Relaxation[] {
    return [...this.#relaxed.values()]
  }

  /** Notes that the keyword at `path` cannot be enforced: more documents are accepted than the schema allows. */
  relax(path: string, problem: string, hint = 'Leave it out, or say it another way.'): void {
    this.budget.spend(2)
    if (this.#relaxed.size >= RELAXED_MAX) return
    const place = shortPlace(path)
    if (!this.#relaxed.has(place)) this.#relaxed.set(place, { path: place, problem, hint })
  }

  refusal(path: string, problem: string, hint = 'Leave it out, or say it another way.'): MeshError {
    const place = shortPlace(`${this.where}${path}`)
    return new MeshError('invalid_request', `${place} ${problem}`, { hint, details: { param: place } })
  }

  /** A number for each schema. */
  idOf(schema: unknown): number {
    const known = this.#ids.get(schema)
    if (known !== undefined) return known
    this.#ids.set(schema, this.#ids.size)
    return this.#ids.size - 1
  }

  /** A schema that follows from another one: the same object every time, so that what is known of it is found again. */
  derived<Value>(from: unknown, name: string, make: () => Value): Value {
    let made = this.#derived.get(from)
    if (made === undefined) {
      made = new Map()
      this.#derived.set(from, made)
    }
    if (!made.has(name)) {
      this.budget.spend(8)
      made.set(name, make())
    }
    return made.get(name) as Value
  }

  /**
   * The schema that a `$ref` leads to; undefined for one outside of this document.
   *
   * @throws MeshError `invalid_request` where nothing is
   */
  resolve(ref: unknown, place: string): Part | undefined {
    if (typeof ref !== 'string') throw this.refusal(place, 'is no text')
    this.budget.spend(4 + (ref.length >> 2))
    const own = isSchema(this.root) && typeof this.root.$id === 'string' ? this.root.$id.replace(/#$/, '') : ''
    const pointer = own !== '' && ref.startsWith(own) ? ref.slice(own.length) : ref
    if (pointer === '' && own === '') throw this.refusal(place, 'is empty')
    if (pointer !== '' && !pointer.startsWith('#')) return undefined
    const anchor = pointer.slice(1)
    const target = anchor === '' || anchor.startsWith('/') ? this.#at(anchor) : this.#anchored(anchor)
    if (target === undefined) throw this.refusal(place, `points to ${shortPlace(ref)}, where nothing is`)
    return { schema: target, path: anchor.startsWith('/') || anchor === '' ? anchor : `/${anchor}` }
  }

  #at(pointer: string): unknown {
    let target: unknown = this.root
    for (const step of pointer.split('/').slice(1)) {
      const name = decodePointer(step)
      const holder = target
      target = isContainer(holder) && Object.hasOwn(holder, name) ? holder[name] : undefined
    }
    return target
  }

  #anchored(name: string): unknown {
    this.#anchors ??= this.#findAnchors()
    return this.#anchors.get(name)
  }

  #findAnchors(): ReadonlyMap<string, unknown> {
    const anchors = new Map<string, unknown>()
    const waiting = [this.root]
    for (const one of waiting) {
      this.budget.spend(1)
      if (!isContainer(one)) continue
      for (const name of [one.$anchor, one.$dynamicAnchor, one.$id, one.id]) {
        if (typeof name === 'string') anchors.set(name.replace(/^#/, ''), one)
      }
      for (const [keyword, inner] of Object.entries(one)) {
        if (isContainer(inner) && !VALUES.has(keyword)) waiting.push(inner)
      }
    }
    return anchors
  }
}

/** Keywords that hold values, in which nothing is a schema. */
const VALUES: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples'])

export function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** An object, or a list, which a pointer may lead through too. */
function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** Whether it says anything of what is valid, but for `except`. */
export function saysSomething(schema: Schema, except?: string): boolean {
  for (const keyword in schema) if (keyword !== except && kindOf(keyword) !== undefined) return true
  return schema[EXCLUDED] !== undefined || schema[EXCLUDED_PATTERN] !== undefined
}

function decodePointer(step: string): string {
  try {
    return decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    // a name with a percent sign of its own
    return step.replaceAll('~1', '/').replaceAll('~0', '~')
  }
}

export function encodePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
