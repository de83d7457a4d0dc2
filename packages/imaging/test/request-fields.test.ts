import { readFile, writeFile } from 'node:fs/promises'
import { MeshError } from '@resultity/interface'
import { refuseUnserved, UNSERVED_FIELDS } from '@resultity/openai'
import t from 'tap'
import { editRequestSchema, generationRequestSchema, variationRequestSchema } from '../src/image-schema.ts'

const schemas = {
  generations: generationRequestSchema,
  edits: editRequestSchema,
  variations: variationRequestSchema
}
type Endpoint = keyof typeof schemas
const endpoints = Object.keys(schemas) as Endpoint[]

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

t.test('what changes a picture is refused by name, unless it changes nothing', async t => {
  for (const { name, endpoints: at, neutral } of UNSERVED_FIELDS) {
    for (const endpoint of endpoints.filter(one => at.includes(one))) {
      t.notOk(Object.hasOwn(schemas[endpoint].shape, name), `${endpoint} does not serve ${name}`)
      t.equal(param(endpoint, { [name]: 'else' }), neutral === undefined ? undefined : name, `${endpoint} ${name}`)
      for (const value of [null, ...(neutral ?? [])]) t.equal(param(endpoint, { [name]: value }), undefined)
    }
  }
})

/** Of OpenAI's description 2.3.0, the bodies of these operations, forms and JSON. */
const openAi: Readonly<Record<Endpoint, string>> = {
  generations: `background model moderation n output_compression output_format partial_images prompt quality response_format size
    stream style user`,
  edits: `background image images input_fidelity mask model moderation n output_compression output_format partial_images prompt
    quality response_format size stream user`,
  variations: 'image model n response_format size user'
}

t.test("every field of OpenAI's description has a place", async t => {
  for (const endpoint of endpoints) {
    for (const name of openAi[endpoint].split(/\s+/)) t.ok(standing(name, endpoint), `${endpoint} ${name}`)
  }
})

t.test('docs/api.md lists the fields as they are served', async t => {
  const path = new URL('../../../../docs/api.md', import.meta.url)
  const text = await readFile(path, 'utf8')
  const [before = '', listed = '', after = ''] = text.split(/<!-- image-fields:(?:begin|end) -->\n/)
  if (process.env.TAP_SNAPSHOT === '1') {
    await writeFile(
      path,
      `${before}<!-- image-fields:begin -->\n\n${reference()}\n\n<!-- image-fields:end -->\n${after}`
    )
  } else {
    const hint = 'write it anew with: npm test -- --snapshot packages/imaging/dist/test/request-fields.test.js'
    t.equal(cells(listed), cells(reference()), hint)
  }
})

/** A table of all fields, in the order of the alphabet. */
function reference(): string {
  const served = endpoints.flatMap(endpoint => Object.keys(schemas[endpoint].shape))
  const unserved = UNSERVED_FIELDS.filter(({ endpoints: at }) => endpoints.some(one => at.includes(one)))
  const names = [...new Set([...served, ...unserved.map(({ name }) => name)])].toSorted()
  const rows = names.map(name => [`\`${name}\``, ...endpoints.map(endpoint => standing(name, endpoint) ?? '')])
  const lines = [['field', ...endpoints], ['---', '---', '---', '---'], ...rows]
  return lines.map(row => `| ${row.join(' | ')} |`).join('\n')
}

/** A table without its alignment, which is the formatter's. */
function cells(table: string): string {
  return table.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---').trim()
}
