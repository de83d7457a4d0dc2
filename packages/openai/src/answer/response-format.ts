import { checkJsonShape } from '@resultity/api-kit'
import type { Constraints } from '@resultity/generation'
import { type RelaxedKeyword, SCHEMA_CHARACTERS_MAX } from '@resultity/grammar'
import { CONSTRAINT_CHOICES_MAX, invalidRequest, type SingleConstraint } from '@resultity/interface'
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

/** Half of a surrogate pair is no character: UTF-8, which answers are in, has none. */
const text = z.string().refine(value => value.isWellFormed(), { error: 'has half of a surrogate pair' })
const source = text.min(1)
const choices = z
  .array(source)
  .min(1)
  .max(CONSTRAINT_CHOICES_MAX)
  .refine(texts => texts.reduce((sum, text) => sum + text.length, 0) <= SCHEMA_CHARACTERS_MAX, {
    error: `has at most ${SCHEMA_CHARACTERS_MAX} characters`
  })

/** Other servers' names for a format. */
export const guidedFields = {
  /** As in vLLM. */
  guided_json: guidedJson.nullish(),
  guided_regex: source.nullish(),
  guided_choice: choices.nullish(),
  guided_grammar: source.nullish(),
  /** As in newer vLLM. */
  structured_outputs: z
    .looseObject({
      json: guidedJson.nullish(),
      json_object: z.boolean().nullish(),
      regex: source.nullish(),
      choice: choices.nullish(),
      grammar: source.nullish()
    })
    .nullish(),
  /** As in llama.cpp: a grammar in GBNF, or in Lark. */
  grammar: text.nullish(),
  /** As in llama.cpp. */
  json_schema: guidedJson.nullish()
}

/** The fields of a request that say what its answer must be. */
export const formatFields = { response_format: responseFormatSchema.nullish(), ...guidedFields }

const formatBody = z.object(formatFields)
type FormatFields = z.infer<typeof formatBody>

type FormatConstraint = Exclude<SingleConstraint, { type: 'tool_calls' }>

/** What an answer must be, and how errors call the field that says so. */
export interface AnswerFormat {
  readonly constraint: FormatConstraint
  readonly place: string
  /** Keywords of its schema that cannot be enforced are refused, not relaxed. */
  readonly strict: boolean
}

/**
 * The format that a request asks for; undefined for free text. Whether a schema can be enforced is not checked here.
 *
 * @throws MeshError `invalid_request` for a format without what its type needs, and for two of them
 */
export function formatOf(fields: FormatFields): AnswerFormat | undefined {
  const all = [fromResponseFormat(fields), ...fromOthers(fields)]
  const formats = all.filter(format => format !== undefined)
  const [anyObject] = formats.filter(({ constraint }) => constraint.type === 'json_object')
  const [first, further] = formats.filter(({ constraint }) => constraint.type !== 'json_object')
  // any JSON object, and one that a schema describes, are the latter
  const second = further ?? (first?.constraint.type === 'json_schema' ? undefined : anyObject)
  if (first !== undefined && second !== undefined) {
    throw invalidRequest(second.place, `${second.place} is set beside ${first.place}`, 'Send one of them.')
  }
  return first ?? anyObject
}

/**
 * @returns keywords that are not enforced
 * @throws MeshError `invalid_request` naming the schema that must be enforced and cannot be; `resource_exhausted`
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

/** What is asked for by the names of vLLM and llama.cpp. */
function fromOthers(fields: FormatFields): (AnswerFormat | undefined)[] {
  const { structured_outputs: structured } = fields
  return [
    fromSchema(fields.guided_json, 'guided_json', true),
    fromSchema(fields.json_schema, 'json_schema', false),
    fromSchema(structured?.json, 'structured_outputs.json', true),
    structured?.json_object === true
      ? ofConstraint({ type: 'json_object' }, 'structured_outputs.json_object')
      : undefined,
    fromPattern(fields.guided_regex, 'guided_regex'),
    fromPattern(structured?.regex, 'structured_outputs.regex'),
    fromChoice(fields.guided_choice, 'guided_choice'),
    fromChoice(structured?.choice, 'structured_outputs.choice'),
    fromGrammar(fields.guided_grammar, 'guided_grammar'),
    fromGrammar(structured?.grammar, 'structured_outputs.grammar'),
    fromGrammar(fields.grammar === '' ? undefined : fields.grammar, 'grammar')
  ]
}

function ofConstraint(constraint: FormatConstraint, place: string, strict = false): AnswerFormat {
  return { constraint, place, strict }
}

/** @param strict as in vLLM: the format is enforced in full, or refused */
function fromSchema(
  schema: z.infer<typeof guidedJson> | null | undefined,
  place: string,
  strict: boolean
): AnswerFormat | undefined {
  if (schema === null || schema === undefined) return undefined
  const read = typeof schema === 'string' ? parsedSchema(schema, place) : schema
  return ofConstraint({ type: 'json_schema', schema: JSON.stringify(read) }, place, strict)
}

function fromPattern(pattern: string | null | undefined, place: string): AnswerFormat | undefined {
  return pattern === null || pattern === undefined ? undefined : ofConstraint({ type: 'regex', pattern }, place)
}

function fromChoice(texts: readonly string[] | null | undefined, place: string): AnswerFormat | undefined {
  return texts === null || texts === undefined ? undefined : ofConstraint({ type: 'choice', texts }, place)
}

function fromGrammar(grammar: string | null | undefined, place: string): AnswerFormat | undefined {
  return grammar === null || grammar === undefined ? undefined : ofConstraint({ type: 'gbnf', grammar }, place)
}

function parsedSchema(text: string, place: string): unknown {
  checkJsonShape(text, place, place)
  try {
    return jsonSchema.parse(JSON.parse(text))
  } catch {
    throw invalidRequest(place, `${place} is no JSON schema`, 'Send an object, or its text.')
  }
}
