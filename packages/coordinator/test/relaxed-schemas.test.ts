import type { Ring } from '@resultity/test-nodes'
import t from 'tap'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

const RELAXED = 'x-resultity-relaxed'
const RESPONSES = '/v1/responses'

const mesh = await startScriptedMesh(1)
t.teardown(() => mesh[Symbol.asyncDispose]())
const endToken = [...mesh.tokenizer.endTokenIds][0] ?? 0

/** The last stage samples this text. */
function answers(text: string): void {
  mesh.ring.script = ({ sample }: Ring) => sample([...mesh.tokenizer.encode(text), endToken], 'end_token')
}

async function post(path: string, body: object): Promise<Response> {
  return await fetch(`${mesh.coordinator.httpUrl}${path}`, { method: 'POST', body: JSON.stringify(body) })
}

/** What cannot be held to: that no two items are equal. */
const tags = { type: 'array', items: { type: 'string' }, uniqueItems: true }
const schema = { type: 'object', properties: { tags }, required: ['tags'] }
const json_schema = { name: 'x', schema }
const response_format = { type: 'json_schema', json_schema }
const parameters = { type: 'object', properties: { 'a, b\r\n→': tags } }

t.test('what an answer is not held to is named, whole and streamed', async t => {
  answers('{"tags":["a","a"]}')
  const ways: readonly (readonly [path: string, body: object])[] = [
    [CHAT, { ...QUESTION, response_format }],
    [CHAT, { ...QUESTION, response_format: { type: 'json_schema', json_schema: { ...json_schema, strict: false } } }],
    [CHAT, { ...QUESTION, response_format, stream: true }],
    [RESPONSES, { model: QUESTION.model, input: 'Hi', text: { format: { type: 'json_schema', ...json_schema } } }],
    [
      RESPONSES,
      { model: QUESTION.model, input: 'Hi', stream: true, text: { format: { type: 'json_schema', ...json_schema } } }
    ]
  ]
  for (const [path, body] of ways) {
    const response = await post(path, body)
    const text = await response.text()
    t.equal(response.status, 200, text)
    t.equal(response.headers.get(RELAXED), 'properties.tags.uniqueItems', JSON.stringify(body))
  }
})

t.test('what an answer is held to is not named', async t => {
  answers('{"tags":["a","b"]}')
  const items = { enum: ['a', 'b'] }
  const held = { ...schema, properties: { tags: { ...tags, items } }, propertyOrdering: ['tags'] }
  for (const strict of [true, false]) {
    const format = { type: 'json_schema', json_schema: { name: 'x', schema: held, strict } }
    const response = await post(CHAT, { ...QUESTION, response_format: format })
    t.equal(response.status, 200, await response.text())
    t.equal(response.headers.get(RELAXED), null)
  }
})

t.test('with strict it is refused, by its place in the words of the route', async t => {
  const strict = { ...json_schema, strict: true }
  const function_ = { name: 'now', parameters, strict: true }
  const ways: readonly (readonly [path: string, body: object, param: string])[] = [
    [
      CHAT,
      { ...QUESTION, response_format: { type: 'json_schema', json_schema: strict } },
      'response_format.json_schema.schema/properties/tags/uniqueItems'
    ],
    [
      RESPONSES,
      { model: QUESTION.model, input: 'Hi', text: { format: { type: 'json_schema', ...strict } } },
      'text.format.schema/properties/tags/uniqueItems'
    ],
    [
      CHAT,
      { ...QUESTION, tools: [{ type: 'function', function: function_ }], tool_choice: 'required' },
      'tools[0].function.parameters/properties/a, b\r\n→/uniqueItems'
    ]
  ]
  for (const [path, body, param] of ways) {
    const response = await post(path, body)
    t.match([response.status, await response.json()], [400, { error: { param } }], param)
  }
})

t.test('of functions it is named with the tool, and no name of the client breaks the header', async t => {
  answers('<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>')
  const other = { type: 'function', function: { name: 'other' } }
  const now = { type: 'function', function: { name: 'now', parameters } }
  const named = { type: 'function', function: { name: 'now' } }
  const response = await post(CHAT, { ...QUESTION, tools: [other, now], tool_choice: named })
  t.equal(response.status, 200, await response.text())
  t.equal(response.headers.get(RELAXED), 'tools[1].properties.a%2C%20b%0D%0A%E2%86%92.uniqueItems')
})

t.test('a call that the model decides on is free text, which is said where the tool is strict', async t => {
  answers('Hello')
  const strict = { type: 'function', function: { name: 'now', parameters, strict: true } }
  const response = await post(CHAT, { ...QUESTION, tools: [strict] })
  t.equal(response.status, 200, await response.text())
  t.equal(response.headers.get(RELAXED), 'tools[0].strict')
  const none = await post(CHAT, { ...QUESTION, tools: [strict], tool_choice: 'none' })
  t.equal(none.status, 200, await none.text())
  t.equal(none.headers.get(RELAXED), null)
})

t.test('the header has an end', async t => {
  answers('{}')
  const properties = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`${'n'.repeat(300)}${at}`, tags]))
  const format = { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object', properties } } }
  const response = await post(CHAT, { ...QUESTION, response_format: format })
  const header = response.headers.get(RELAXED) ?? ''
  t.equal(response.status, 200, await response.text())
  t.ok(header.length < 1100 && /, and \d+ more$/.test(header), header)
})
