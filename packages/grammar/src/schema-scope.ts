import type { Expression } from './expression.ts'
import type { JsonText } from './json-text.ts'
import type { Part, Schema, SchemaDocument } from './schema-document.ts'
import type { SchemaValues } from './schema-values.ts'

/** What the readers of each type share. */
export interface SchemaScope {
  readonly json: JsonText
  readonly document: SchemaDocument
  readonly values: SchemaValues
  /** The documents that are valid under all of `parts`; the empty language where there is none. */
  at(parts: readonly Part[], depth: number): Expression
  /** The values that `parts` allow, no two of them equal, where they are listed. */
  listed(parts: readonly Part[]): readonly unknown[] | undefined
  /** Why no value is valid at a place, for the error if none is at all. */
  noValue(path: string, problem: string): void
}

/** A keyword that is a count, from those that have it. */
export function countsOf(document: SchemaDocument, parts: readonly Part<Schema>[], keyword: string): number[] {
  return parts.flatMap(({ schema, path }) => {
    const value = schema[keyword]
    if (value === undefined) return []
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return [value]
    throw document.refusal(`${path}/${keyword}`, 'is no whole number from 0 up')
  })
}

/** The least and the most that all of `parts` allow. */
export function rangeOf(
  document: SchemaDocument,
  parts: readonly Part<Schema>[],
  least: string,
  most: string
): { min: number; max: number } {
  return {
    min: Math.max(0, ...countsOf(document, parts, least)),
    max: Math.min(Number.POSITIVE_INFINITY, ...countsOf(document, parts, most))
  }
}

/** The first of `parts` that has `keyword`: where the keyword stands. */
export function placeOf(parts: readonly Part<Schema>[], keyword: string): string {
  return `${parts.find(({ schema }) => schema[keyword] !== undefined)?.path ?? ''}/${keyword}`
}

/** Whether a keyword is set; it is true or false. */
export function flagOf(document: SchemaDocument, { schema, path }: Part<Schema>, keyword: string): boolean {
  const value = schema[keyword]
  if (value === undefined || value === null || typeof value === 'boolean') return value === true
  throw document.refusal(`${path}/${keyword}`, 'is neither true nor false')
}
