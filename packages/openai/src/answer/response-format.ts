import { checkJsonShape } from '@resultity/api-kit'
import type { Constraints } from '@resultity/generation'
import type { RelaxedKeyword } from '@resultity/grammar'
import { invalidRequest, type OutputConstraint } from '@resultity/interface'
import { z } from 'zod'

const jsonSchema = z.record(z.string(), z.unknown())

const jsonSchemaFormat = z.looseObject({
  name: z.string().max(64),
  description: z.string().nullish(),
  schema: jsonSchema.nullish(),
  strict: z.boolean().nullish()
})

/** What an answer must be: free text, any JSON object, or a document that is valid under a schema. */
const responseFormatSchema = z.looseObject({
  type: z.enum(['text', 'json_object', 'json_schema']),
  json_schema: jsonSchemaFormat.nullish(),
  /** Of `json_object`, as llama.cpp and others take it. */
  schema: jsonSchema.nullish()
})

/** A schema, or its text. */
const guidedJson = z.union([jsonSchema, z.string()], { error: 'is a JSON schema, or its text' })

/** Other servers' names for a format. */
export const guidedFields = {
  /** As in vLLM. */
  guided_json: guidedJson.nullish(),
  /** As in newer vLLM. */
  structured_outputs: z.looseObject({ json: guidedJson.nullish(), json_object: z.boolean().nullish() }).nullish()
}

/** The fields of a request that say what its answer must be. */
export const formatFields = { response_format: responseFormatSchema.nullish(), ...guidedFields }

const formatBody = z.object(formatFields)
type FormatFields = z.infer<typeof formatBody>

type FormatConstraint = Extract<OutputConstraint, { type: 'json_object' | 'json_schema' }>

/** What an answer must be, and how errors call the field that says so. */
export interface AnswerFormat {
  readonly constraint: FormatConstraint
  readonly place: string
  /** What of its schema cannot be held to is refused, not relaxed. */
  readonly strict: boolean
}

/**
 * The format that a request asks for; undefined for free text. A schema is held to as far as it can be, which is not checked
 * here.
 *
 * @throws MeshError `invalid_request` for a format without what its type needs, and for two schemas
 */
export function formatOf(fields: FormatFields): AnswerFormat | undefined {
  const all = [fromResponseFormat(fields), fromGuidedJson(fields), fromStructuredOutputs(fields)]
  const formats = all.filter(format => format !== undefined)
  const [schema, second] = formats.filter(({ constraint }) => constraint.type === 'json_schema')
  if (schema !== undefined && second !== undefined) {
    throw invalidRequest(second.place, `${second.place} is set beside ${schema.place}`, 'Send one schema.')
  }
  // any JSON object, and one that a schema describes, are the latter
  return schema ?? formats[0]
}

/**
 * @returns keywords that the answer is not held to
 * @throws MeshError `invalid_request` naming the schema that cannot be held to and must be; `resource_exhausted`
 */
export async function checkFormat(
  { constraint, place, strict }: AnswerFormat,
  constraints: Constraints
): Promise<readonly RelaxedKeyword[]> {
  return await constraints.check(constraint, {
    schema: place,
    parameters: [],
    strict: { schema: strict, functions: [] }
  })
}

function fromResponseFormat({ response_format: format }: FormatFields): AnswerFormat | undefined {
  if (format === null || format === undefined || format.type === 'text') return undefined
  if (format.type === 'json_object') return ofSchema(format.schema, 'response_format.schema')
  if (format.json_schema === null || format.json_schema === undefined) {
    throw invalidRequest('response_format.json_schema', 'response_format "json_schema" comes without a json_schema')
  }
  const { schema } = format.json_schema
  const strict = format.json_schema.strict === true
  const place = 'response_format.json_schema.schema'
  if (schema === null || schema === undefined) return { constraint: { type: 'json_object' }, place, strict }
  return { constraint: { type: 'json_schema', schema: JSON.stringify(schema) }, place, strict }
}

/** An empty schema says no more than that it is an object. */
function ofSchema(schema: z.infer<typeof jsonSchema> | null | undefined, place: string): AnswerFormat {
  if (Object.keys(schema ?? {}).length === 0) return { constraint: { type: 'json_object' }, place, strict: false }
  return { constraint: { type: 'json_schema', schema: JSON.stringify(schema) }, place, strict: false }
}

function fromGuidedJson({ guided_json: schema }: FormatFields): AnswerFormat | undefined {
  return schema === null || schema === undefined ? undefined : ofGuidedJson(schema, 'guided_json')
}

function fromStructuredOutputs({ structured_outputs: structured }: FormatFields): AnswerFormat | undefined {
  const { json, json_object: anyObject } = structured ?? {}
  if (json !== null && json !== undefined) return ofGuidedJson(json, 'structured_outputs.json')
  if (anyObject !== true) return undefined
  return { constraint: { type: 'json_object' }, place: 'structured_outputs.json_object', strict: false }
}

/** As vLLM has it: held to in full, or refused. */
function ofGuidedJson(schema: z.infer<typeof guidedJson>, place: string): AnswerFormat {
  const read = typeof schema === 'string' ? parsedSchema(schema, place) : schema
  return { constraint: { type: 'json_schema', schema: JSON.stringify(read) }, place, strict: true }
}

function parsedSchema(text: string, place: string): unknown {
  checkJsonShape(text, place, place)
  try {
    return jsonSchema.parse(JSON.parse(text))
  } catch {
    throw invalidRequest(place, `${place} is no JSON schema`, 'Send an object, or its text.')
  }
}
