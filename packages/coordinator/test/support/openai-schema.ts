import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'

const document: object = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/openai-schemas.json', import.meta.url), 'utf8')
)
const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
ajv.addSchema(document, 'openai')

/** What in `value` breaks OpenAI's published schema of this name; empty when nothing does. */
export function openAiErrors(schemaName: string, value: unknown): string[] {
  const validate = ajv.getSchema(`openai#/components/schemas/${schemaName}`)
  if (validate === undefined) throw new Error(`there is no schema ${schemaName}`)
  validate(value)
  return (validate.errors ?? []).map(error => `${error.instancePath} ${error.message}`)
}
