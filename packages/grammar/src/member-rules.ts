import { CLOSING, encodePointer, isSchema, type Part, type Schema, SILENT } from './schema-document.ts'
import type { SchemaScope } from './schema-scope.ts'

/** What one schema says of the members of an object. */
export interface MemberRules {
  readonly properties: ReadonlyMap<string, Part>
  readonly required: ReadonlySet<string>
  readonly patterns: readonly { readonly pattern: string; readonly value: Part }[]
  /** For members that neither is said of. */
  readonly others: Part | undefined
  /** For members that no schema says anything of. */
  readonly unevaluated: Part | undefined
  /** Members that it speaks of are evaluated. */
  readonly evaluates: boolean
  /** It says which members there are. */
  readonly declares: boolean
}

/** @param alone no other schema says anything of the same object */
export function memberRules(scope: SchemaScope, part: Part<Schema>, alone: boolean): MemberRules {
  const { schema, path } = part
  const { additionalProperties } = schema
  const properties = schema.properties ?? {}
  if (!isSchema(properties)) throw scope.document.refusal(`${path}/properties`, 'is no object of schemas')
  const declared = Object.entries(properties).map(
    ([name, value]) => [name, { schema: value, path: `${path}/properties/${encodePointer(name)}` }] as const
  )
  const patterns = patternRules(scope, part)
  const declares =
    schema[SILENT] === undefined &&
    (schema.properties !== undefined || schema.required !== undefined || schema.patternProperties !== undefined)
  return {
    properties: new Map(declared),
    required: requiredNames(scope, part),
    patterns,
    others:
      additionalProperties === undefined
        ? undefined
        : { schema: additionalProperties, path: `${path}/additionalProperties` },
    unevaluated: unevaluated(scope, part, alone),
    evaluates: part.quiet === undefined && schema[SILENT] === undefined,
    declares
  }
}

function requiredNames({ document }: SchemaScope, { schema, path }: Part<Schema>): ReadonlySet<string> {
  const required = schema.required ?? []
  // of draft 3, in the schema of a member
  if (typeof required === 'boolean') return new Set()
  if (!Array.isArray(required) || !required.every(name => typeof name === 'string')) {
    throw document.refusal(`${path}/required`, 'is no list of names')
  }
  return new Set(required)
}

function patternRules({ document, values }: SchemaScope, { schema, path }: Part<Schema>): MemberRules['patterns'] {
  const patternProperties = schema.patternProperties ?? {}
  if (!isSchema(patternProperties)) throw document.refusal(`${path}/patternProperties`, 'is no object of schemas')
  return Object.entries(patternProperties).flatMap(([pattern, value]) => {
    const place = `${path}/patternProperties/${encodePointer(pattern)}`
    if (values.content(pattern) !== undefined) return [{ pattern, value: { schema: value, path: place } }]
    document.relax(place, 'is a pattern that cannot be held to')
    return []
  })
}

function unevaluated({ document }: SchemaScope, { schema, path }: Part<Schema>, alone: boolean): Part | undefined {
  const { unevaluatedProperties, additionalProperties } = schema
  if (unevaluatedProperties === undefined || additionalProperties !== undefined) return undefined
  const place = `${path}/unevaluatedProperties`
  if (alone || schema[CLOSING]) return { schema: unevaluatedProperties, path: place }
  document.relax(place, 'cannot be held to beside schemas that are applied around it')
  return undefined
}
