import type { Ring } from '@resultity/test-nodes'
import t from 'tap'
import { CHAT, QUESTION, startScriptedMesh } from './support/scripted-mesh.ts'

// All the fields by which clients of one server or another ask for JSON.

const mesh = await startScriptedMesh(1)
t.teardown(() => mesh[Symbol.asyncDispose]())
const [endToken = 0] = mesh.tokenizer.endTokenIds
const COMPLETIONS = '/v1/completions'
const RESPONSES = '/v1/responses'
const bodies = {
  [CHAT]: QUESTION,
  [COMPLETIONS]: { model: 'tiny-chat', prompt: 'x', max_tokens: 40 },
  [RESPONSES]: { model: 'tiny-chat', input: 'x' }
}

const opens: Ring['open'][] = []
const says =
  (text: string) =>
  ({ open, sample }: Ring) => {
    opens.push(open)
    return sample([...mesh.tokenizer.encode(text), endToken], 'end_token')
  }

async function ask(path: keyof typeof bodies, fields: object) {
  const response = await fetch(`${mesh.coordinator.httpUrl}${path}`, {
    method: 'POST',
    body: JSON.stringify({ ...bodies[path], ...fields })
  })
  return { status: response.status, body: await response.json() }
}

const schema = { type: 'object', properties: { a: { type: 'boolean' } }, required: ['a'], additionalProperties: false }
const held = { type: 'json_schema', schema: JSON.stringify(schema) }
const anyObject = { type: 'json_object' }

const ways: readonly (readonly [path: keyof typeof bodies, fields: object, constraint: object])[] = [
  [CHAT, { response_format: { type: 'json_object', schema } }, held],
  [CHAT, { response_format: { type: 'json_object', schema: {} } }, anyObject],
  [CHAT, { response_format: { type: 'json_object', schema: null } }, anyObject],
  [CHAT, { guided_json: schema }, held],
  [CHAT, { guided_json: JSON.stringify(schema) }, held],
  [CHAT, { structured_outputs: { json: schema } }, held],
  [CHAT, { structured_outputs: { json_object: true } }, anyObject],
  [CHAT, { response_format: { type: 'json_object' }, guided_json: schema }, held],
  [CHAT, { response_format: { type: 'text' }, guided_json: schema, guided_regex: null }, held],
  [COMPLETIONS, { guided_json: schema }, held],
  [COMPLETIONS, { response_format: { type: 'json_object', schema } }, held],
  [COMPLETIONS, { response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } }, held],
  [RESPONSES, { text: { format: { type: 'json_object', schema } } }, held],
  [RESPONSES, { guided_json: schema }, held]
]

t.test('each is held to: the last stage is told, and what it answers is compared', async t => {
  for (const [path, fields, constraint] of ways) {
    const name = `${path} ${JSON.stringify(fields)}`
    mesh.ring.script = says('{"a": true}')
    const { status, body } = await ask(path, fields)
    t.equal(status, 200, `${name} ${JSON.stringify(body.error ?? '')}`)
    t.same(opens.at(-1)?.constraint, constraint, name)
    mesh.ring.script = says('[]')
    t.match(await ask(path, fields), { status: 502, body: { error: { code: 'protocol_violation' } } }, name)
  }
  mesh.ring.script = says('Fine.')
  for (const fields of [{}, { guided_json: null }, { structured_outputs: {} }, { response_format: { type: 'text' } }]) {
    t.equal((await ask(CHAT, fields)).status, 200)
    t.equal(opens.at(-1)?.constraint, undefined, 'free text')
  }
})

const grammar = 'root ::= "(" root ")" | "x"'
const texts: readonly (readonly [fields: object, constraint: object])[] = [
  [{ guided_regex: '\\(\\(x\\)\\)' }, { type: 'regex' }],
  [{ structured_outputs: { regex: '..x..' } }, { type: 'regex', pattern: '..x..' }],
  [{ guided_choice: ['yes', '((x))'] }, { type: 'choice', texts: ['yes', '((x))'] }],
  [{ structured_outputs: { choice: ['((x))'] } }, { type: 'choice', texts: ['((x))'] }],
  [{ guided_grammar: grammar }, { type: 'gbnf', grammar }],
  [{ structured_outputs: { grammar } }, { type: 'gbnf', grammar }],
  [{ grammar }, { type: 'gbnf', grammar }]
]

t.test('so is text that is no JSON, on every route', async t => {
  for (const path of [CHAT, COMPLETIONS, RESPONSES] as const) {
    for (const [fields, constraint] of texts) {
      const name = `${path} ${JSON.stringify(fields)}`
      mesh.ring.script = says('((x))')
      const { status, body } = await ask(path, fields)
      t.equal(status, 200, `${name} ${JSON.stringify(body.error ?? '')}`)
      t.match(opens.at(-1)?.constraint, constraint, name)
      mesh.ring.script = says('((x)')
      t.match(await ask(path, fields), { status: 502, body: { error: { code: 'protocol_violation' } } }, name)
    }
    mesh.ring.script = says('{"a": true}')
    t.equal((await ask(path, { json_schema: schema })).status, 200)
    t.same(opens.at(-1)?.constraint, held)
  }
})

t.test('with tools that the model may call, it is one or the other', async t => {
  mesh.ring.script = says('{"a": true}')
  const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }]
  t.equal((await ask(CHAT, { guided_json: schema, tools })).status, 200)
  t.match(opens.at(-1)?.constraint, { type: 'any_of', options: [held, { type: 'tool_calls' }] })
})

t.test('what cannot be held to is refused by the name that the client used', async t => {
  const unheld = { type: 'object', properties: { a: { type: 'string', pattern: 5 } } }
  const wrong: readonly (readonly [keyof typeof bodies, object, RegExp])[] = [
    [CHAT, { response_format: { type: 'json_object', schema: unheld } }, /^response_format\.schema\/properties\/a/],
    [CHAT, { guided_json: unheld }, /^guided_json\/properties\/a/],
    [CHAT, { guided_json: '{"type":' }, /^guided_json$/],
    [CHAT, { guided_json: '[1]' }, /^guided_json$/],
    [CHAT, { guided_json: 5 }, /^guided_json$/],
    [CHAT, { structured_outputs: { json: unheld } }, /^structured_outputs\.json\/properties\/a/],
    [CHAT, { structured_outputs: { regex: '(a' } }, /^structured_outputs\.regex$/],
    [CHAT, { guided_regex: 'a(?=b)c' }, /^guided_regex$/],
    [CHAT, { guided_regex: '[^\\s\\S]' }, /^guided_regex$/],
    [CHAT, { guided_choice: [] }, /^guided_choice$/],
    [CHAT, { guided_choice: ['a', ''] }, /^guided_choice/],
    [CHAT, { guided_choice: Array(1025).fill('a') }, /^guided_choice$/],
    [CHAT, { guided_choice: Array(3).fill('a'.repeat(30_000)) }, /^guided_choice$/],
    [CHAT, { guided_choice: ['a', '\ud800'] }, /^guided_choice\[1\]$/],
    [CHAT, { structured_outputs: { regex: '\udc00' } }, /^structured_outputs.regex$/],
    [CHAT, { grammar: 'root ::= "\ud800"' }, /^grammar$/],
    [CHAT, { guided_grammar: 'root ::= root "a" | "a"' }, /^guided_grammar$/],
    [CHAT, { grammar: 'root ::= nothing' }, /^grammar$/],
    [CHAT, { grammar: 'root ::= "a"', guided_regex: 'a' }, /^grammar$/],
    [CHAT, { response_format: { type: 'json_object' }, guided_regex: 'a' }, /^response_format/],
    [CHAT, { structured_outputs: { structural_tag: '{}' } }, /^structured_outputs\.structural_tag$/],
    [CHAT, { json_schema: unheld }, /^json_schema\/properties\/a/],
    [CHAT, { guided_regex: 'a', ignore_eos: true }, /^ignore_eos$/],
    [CHAT, { guided_json: schema, structured_outputs: { json: schema } }, /^structured_outputs\.json$/],
    [CHAT, { guided_json: schema, ignore_eos: true }, /^ignore_eos$/],
    [COMPLETIONS, { guided_json: unheld }, /^guided_json\/properties\/a/],
    [COMPLETIONS, { guided_json: schema, ignore_eos: true }, /^ignore_eos$/],
    [COMPLETIONS, { guided_choice: 'a' }, /^guided_choice$/],
    [RESPONSES, { text: { format: { type: 'json_object', schema: unheld } } }, /^text\.format\.schema\/properties\/a/],
    [RESPONSES, { guided_regex: '*' }, /^guided_regex$/]
  ]
  for (const [path, fields, param] of wrong) {
    const { status, body } = await ask(path, fields)
    t.equal(status, 400, JSON.stringify(fields))
    t.match(body.error.param, param, `${path} ${JSON.stringify(fields)}`)
  }
})
