import { readFile, writeFile } from 'node:fs/promises'
import { MeshError } from '@resultity/interface'
import {
  chatRequestSchema,
  completionRequestSchema,
  embeddingsRequestSchema,
  refuseUnserved,
  UNSERVED_FIELDS
} from '@resultity/openai'
import t from 'tap'
import { responseRequestSchema } from '../src/response-schema.ts'

const endpoints = ['chat', 'completions', 'responses', 'embeddings'] as const
type Endpoint = (typeof endpoints)[number]
const schemas = {
  chat: chatRequestSchema,
  completions: completionRequestSchema,
  responses: responseRequestSchema,
  embeddings: embeddingsRequestSchema
}

/** What is said of a field at an endpoint; undefined: nobody documents it there. */
function standing(name: string, endpoint: Endpoint): string | undefined {
  const field = UNSERVED_FIELDS.find(one => one.name === name && one.endpoints.includes(endpoint))
  if (field === undefined) return Object.hasOwn(schemas[endpoint].shape, name) ? 'served' : undefined
  if (field.neutral === undefined) return 'no effect'
  const values = field.neutral.map(value => `\`${JSON.stringify(value)}\``)
  return values.length === 0 ? '400' : `400 unless ${values.join(' or ')}`
}

function param(endpoint: Endpoint, body: Record<string, unknown>): unknown {
  try {
    refuseUnserved(endpoint, body)
    return undefined
  } catch (error) {
    return MeshError.from(error).details.param
  }
}

/** A body in which the field with this name, at its place, has this value. */
function bodyWith(name: string, value: unknown): Record<string, unknown> {
  return name.split('.').reduceRight<unknown>((inner, one) => ({ [one]: inner }), value) as Record<string, unknown>
}

t.test('what changes an answer is refused by name, unless it changes nothing', t => {
  for (const { name, endpoints: at, neutral } of UNSERVED_FIELDS) {
    for (const endpoint of endpoints) {
      const refused = at.includes(endpoint) && neutral !== undefined
      const expected = refused ? name : undefined
      if (at.includes(endpoint)) t.equal(param(endpoint, bodyWith(name, 'else')), expected, `${endpoint} ${name}`)
      for (const value of [null, ...(refused ? neutral : [])])
        t.equal(param(endpoint, bodyWith(name, value)), undefined)
    }
  }
  t.end()
})

t.test('a field has one place in the table', t => {
  for (const endpoint of endpoints) {
    const names = UNSERVED_FIELDS.filter(one => one.endpoints.includes(endpoint)).map(({ name }) => name)
    t.same(names.toSorted(), [...new Set(names)].toSorted(), endpoint)
  }
  t.end()
})

t.test('a field that nobody documents passes, and so does what is no object', t => {
  for (const endpoint of endpoints) {
    t.equal(param(endpoint, { cheese: true, reasoning: 'x', text: null, structured_outputs: [] }), undefined)
  }
  t.end()
})

/** Of OpenAI's description 2.3.0, the bodies of these operations. */
const openAi: Readonly<Record<Endpoint, string>> = {
  chat: `audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages metadata
    modalities model moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options
    prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream stream_options
    temperature tool_choice tools top_logprobs top_p user verbosity web_search_options`,
  completions: `best_of echo frequency_penalty logit_bias logprobs max_tokens model n presence_penalty prompt seed stop stream
    stream_options suffix temperature top_p user`,
  responses: `background context_management conversation include input instructions max_output_tokens max_tool_calls metadata
    model moderation parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_options
    prompt_cache_retention reasoning reasoning.summary safety_identifier service_tier store stream stream_options
    temperature text text.verbosity tool_choice tools top_logprobs top_p truncation user`,
  embeddings: 'dimensions encoding_format input model user'
}

t.test("every field of OpenAI's description has a place", t => {
  for (const endpoint of endpoints) {
    for (const name of openAi[endpoint].split(/\s+/)) t.ok(standing(name, endpoint), `${endpoint} ${name}`)
  }
  t.end()
})

t.test('docs/api.md lists the fields as they are served', async t => {
  const path = new URL('../../../../docs/api.md', import.meta.url)
  const text = await readFile(path, 'utf8')
  const [before = '', listed = '', after = ''] = text.split(/<!-- fields:(?:begin|end) -->\n/)
  if (process.env.TAP_SNAPSHOT === '1') {
    await writeFile(path, `${before}<!-- fields:begin -->\n\n${reference()}\n\n<!-- fields:end -->\n${after}`)
  } else {
    const hint = 'write it anew with: npm test -- --snapshot packages/responses/dist/test/request-fields.test.js'
    t.equal(cells(listed), cells(reference()), hint)
  }
})

/** A table of all fields, those at one place or another in the order of the alphabet. */
function reference(): string {
  const served = endpoints.flatMap(endpoint => Object.keys(schemas[endpoint].shape))
  const unserved = UNSERVED_FIELDS.filter(({ endpoints: at }) => endpoints.some(one => at.includes(one)))
  const names = [...new Set([...served, ...unserved.map(({ name }) => name)])].toSorted()
  const rows = names.map(name => [`\`${name}\``, ...endpoints.map(endpoint => standing(name, endpoint) ?? '')])
  const lines = [['field', ...endpoints], endpoints.concat('chat').map(() => '---'), ...rows]
  return lines.map(row => `| ${row.join(' | ')} |`).join('\n')
}

/** A table without its alignment, which is the formatter's. */
function cells(table: string): string {
  return table.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---').trim()
}
