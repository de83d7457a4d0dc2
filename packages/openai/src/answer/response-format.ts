import { invalidRequest, type OutputConstraint } from '@resultity/interface'
import { z } from 'zod'

const jsonSchemaFormat = z.looseObject({
  name: z.string().max(64),
  description: z.string().nullish(),
  schema: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish()
})

/** What an answer must be: free text, any JSON object, or a document that is valid under a schema. */
export const responseFormatSchema = z.looseObject({
  type: z.enum(['text', 'json_object', 'json_schema']),
  json_schema: jsonSchemaFormat.nullish()
})
export type ResponseFormat = z.infer<typeof responseFormatSchema>

type FormatConstraint = Extract<OutputConstraint, { type: 'json_object' | 'json_schema' }>

/** How errors call the schema of a format. */
export const FORMAT_SCHEMA = 'response_format.json_schema.schema'

/**
 * The constraint that a format stands for; undefined for free text. A schema is held to whether `strict` is set or not, as
 * far as it can be, which is not checked here.
 *
 * @throws MeshError `invalid_request` for a format without what its type needs
 */
export function constraintOfFormat(format: ResponseFormat | null | undefined): FormatConstraint | undefined {
  if (format === null || format === undefined || format.type === 'text') return undefined
  if (format.type === 'json_object') return { type: 'json_object' }
  if (format.json_schema === null || format.json_schema === undefined) {
    throw invalidRequest('response_format.json_schema', 'response_format "json_schema" comes without a json_schema')
  }
  const { schema } = format.json_schema
  if (schema === null || schema === undefined) return { type: 'json_object' }
  return { type: 'json_schema', schema: JSON.stringify(schema) }
}

/** Whether what a schema says must be held to in full. */
export function isStrictFormat(format: ResponseFormat | null | undefined): boolean {
  return format?.json_schema?.strict === true
}
