import { createOpenAI } from '@ai-sdk/openai'
import { openAiErrors } from '@resultity/test-api'
import type { Ring } from '@resultity/test-nodes'
import { jsonSchema, streamText } from 'ai'
import t from 'tap'
import { QUESTION, readEvents, startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(2)
t.teardown(() => mesh[Symbol.asyncDispose]())
const tokenIdsOf = mesh.tokenizer.encode.bind(mesh.tokenizer)
const endToken = [...mesh.tokenizer.endTokenIds][0] ?? 0

const CALL = '<tool_call>\n{"name": "now", "arguments": {"zone": "UTC"}}\n</tool_call>'
const tools = [{ type: 'function', function: { name: 'now', parameters: { type: 'object' } } }]

/** Answers with this text and an end token, and remembers what the last stage was told. */
const opens: Ring['open'][] = []
const says =
  (text: string) =>
  ({ open, sample }: Ring) => {
    opens.push(open)
    return sample([...tokenIdsOf(text), endToken], 'end_token')
  }

t.test('a call that the model decides on is found in its text', async t => {
  mesh.ring.script = says(`Let me see. ${CALL}`)
  const body = await (await mesh.post({ ...QUESTION, tools })).json()
  t.same(openAiErrors('CreateChatCompletionResponse', body), [])
  t.match(body.choices[0], {
    finish_reason: 'tool_calls',
    message: {
      content: 'Let me see.',
      tool_calls: [{ type: 'function', function: { name: 'now', arguments: '{"zone":"UTC"}' } }]
    }
  })
  t.equal(opens.at(-1)?.constraint, undefined, 'it is held to nothing')
  mesh.ring.script = says(CALL)
  t.equal((await (await mesh.post({ ...QUESTION, tools })).json()).choices[0].message.content, null)
})

t.test('streamed, not a letter of it is text, and its pieces are what clients put together', async t => {
  mesh.ring.script = says(`Let me see. ${CALL}`)
  const response = await mesh.post({ ...QUESTION, tools, stream: true, logprobs: true })
  const events = await readEvents(response)
  t.equal(events.pop(), '[DONE]')
  const chunks = events.map(event => JSON.parse(event))
  t.same(
    chunks.flatMap(chunk => openAiErrors('CreateChatCompletionStreamResponse', chunk)),
    []
  )
  const deltas = chunks.map(chunk => chunk.choices[0].delta)
  t.same(deltas[0], { role: 'assistant', content: '' })
  t.equal(deltas.map(delta => delta.content ?? '').join(''), 'Let me see.')
  const pieces = deltas.flatMap(delta => delta.tool_calls ?? [])
  const [first, ...others] = pieces
  t.match(first, { index: 0, id: /^call_[0-9a-f]{24}$/, type: 'function', function: { name: 'now', arguments: '' } })
  t.same(others, [{ index: 0, function: { arguments: '{"zone":"UTC"}' } }])
  t.equal(chunks.at(-1).choices[0].finish_reason, 'tool_calls')
  const scored = chunks.filter(chunk => chunk.choices[0].logprobs !== null)
  t.equal(scored.length, tokenIdsOf(`Let me see. ${CALL}`).length, 'every token is said to be likely or not, once')
})

t.test('streamed, an answer of calls alone has no text, not even an empty one', async t => {
  const named = { type: 'function', function: { name: 'now' } }
  for (const choice of ['auto', 'required', named]) {
    for (const logprobs of [false, true]) {
      mesh.ring.script = says(CALL)
      const asked = { ...QUESTION, tools, tool_choice: choice, stream: true, logprobs }
      const chunks = (await readEvents(await mesh.post(asked))).slice(0, -1).map(event => JSON.parse(event))
      const name = `${JSON.stringify(choice)}${logprobs ? ', with logprobs' : ''}`
      t.same(
        chunks.flatMap(chunk => openAiErrors('CreateChatCompletionStreamResponse', chunk)),
        [],
        name
      )
      const deltas = chunks.map(chunk => chunk.choices[0].delta)
      t.same(deltas[0], { role: 'assistant', content: null }, name)
      t.notOk(
        deltas.some(delta => typeof delta.content === 'string'),
        name
      )
    }
  }
  mesh.ring.script = says('')
  const events = await readEvents(await mesh.post({ ...QUESTION, tools, stream: true }))
  t.same(JSON.parse(events[0] ?? '').choices[0].delta, { role: 'assistant', content: '' }, 'an empty answer is a text')
})

t.test('the AI SDK makes no text of calls', async t => {
  const model = createOpenAI({ baseURL: `${mesh.coordinator.httpUrl}/v1`, apiKey: 'none' }).chat('tiny-chat')
  const now = { inputSchema: jsonSchema<Record<string, string>>({ type: 'object' }) }
  for (const toolChoice of ['auto', 'required'] as const) {
    mesh.ring.script = says(CALL)
    const { fullStream } = streamText({ model, prompt: 'Hi', tools: { now }, toolChoice, maxRetries: 0 })
    const types: string[] = []
    for await (const part of fullStream) types.push(part.type)
    t.ok(types.includes('tool-call'), toolChoice)
    t.notOk(
      types.some(type => type.startsWith('text')),
      `${toolChoice}: ${types.join()}`
    )
  }
})

t.test('ids of calls follow from the request', async t => {
  mesh.ring.script = says(CALL)
  const headers = { 'content-type': 'application/json', 'idempotency-key': 'the-same-call' }
  const idOf = async (): Promise<string> => {
    const response = await mesh.post({ ...QUESTION, tools, seed: 1 }, { headers })
    return (await response.json()).choices[0].message.tool_calls[0].id
  }
  t.equal(await idOf(), await idOf(), 'the same request')
  mesh.ring.script = says(CALL)
  const other = await (await mesh.post({ ...QUESTION, tools })).json()
  t.not(other.choices[0].message.tool_calls[0].id, await idOf(), 'another request')
})

t.test('where one call is wanted, the answer ends with it, and the slots are free', async t => {
  const ended: Promise<void>[] = []
  mesh.ring.script = async ring => {
    ended.push(...ring.stages.map(stage => stage.ended))
    // would go on for ever
    await ring.sample(tokenIdsOf(`${CALL}\n${CALL}\n`))
  }
  const body = await (await mesh.post({ ...QUESTION, tools, parallel_tool_calls: false })).json()
  t.match(body.choices[0], { finish_reason: 'tool_calls', message: { tool_calls: { length: 1 } } })
  t.equal(body.usage.completion_tokens, tokenIdsOf(CALL).length)
  await Promise.all(ended)
  t.same(
    mesh.nodes.map(node => node.sessionsOpen),
    [0, 0]
  )
})

t.test('what is malformed, or no call of these tools, stays text', async t => {
  for (const text of ['<tool_call>{"name": "now"</tool_call>', '<tool_call>{"name": "rm"}</tool_call>', 'a < b']) {
    mesh.ring.script = says(text)
    const body = await (await mesh.post({ ...QUESTION, tools })).json()
    t.match(body.choices[0], { finish_reason: 'stop', message: { content: text, tool_calls: undefined } })
  }
  mesh.ring.script = says(CALL)
  for (const fields of [{}, { tools, tool_choice: 'none' }]) {
    const body = await (await mesh.post({ ...QUESTION, ...fields })).json()
    t.match(body.choices[0], { finish_reason: 'stop', message: { content: CALL } }, 'without tools a call is text too')
  }
})

t.test('calls that must come are a constraint of the last stage, and pass on as they come', async t => {
  mesh.ring.script = says(CALL)
  const events = await readEvents(await mesh.post({ ...QUESTION, tools, tool_choice: 'required', stream: true }))
  t.same(opens.at(-1)?.constraint, {
    type: 'tool_calls',
    functions: [{ name: 'now', parameters: '{"type":"object"}' }],
    parallel: true
  })
  const pieces = events
    .slice(0, -1)
    .flatMap(event => JSON.parse(event).choices[0].delta.tool_calls ?? [])
    .map(piece => piece.function.arguments)
  t.equal(pieces.join(''), '{"zone": "UTC"}')
  t.ok(pieces.length > 3, `${pieces.length} pieces`)
})

t.test('tools and their history are in the prompt', async t => {
  let prompt = ''
  mesh.ring.script = ring => {
    prompt = mesh.tokenizer.decode(ring.prompt)
    return ring.sample([endToken], 'end_token')
  }
  const call = { id: 'a', type: 'function', function: { name: 'now', arguments: '{"zone":"UTC"}' } }
  const messages = [
    { role: 'user', content: 'Time?' },
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', tool_call_id: 'a', content: '12:00' }
  ]
  t.equal((await mesh.post({ ...QUESTION, messages, tools })).status, 200)
  t.match(prompt, JSON.stringify(tools[0]))
  t.match(prompt, '{"name": "now", "arguments": {"zone":"UTC"}}')
  t.match(prompt, '<tool_response>\n12:00\n</tool_response>')
})

t.test('an answer that breaks its constraint fails, naming the node that sampled it', async t => {
  const schema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] }
  const format = { type: 'json_schema', json_schema: { name: 'x', schema } }
  const required = { tools, tool_choice: 'required' }
  const cases: [text: string, fields: object, honest: boolean][] = [
    ['{"a":1}', { response_format: format }, true],
    ['{"a":"x"}', { response_format: format }, false],
    ['{"a":1} and more', { response_format: format }, false],
    ['{"a":', { response_format: format }, false],
    ['anything', { response_format: { type: 'json_object' } }, false],
    [CALL, required, true],
    [CALL.replace('"now"', '"rm"'), required, false],
    ['no call at all', required, false],
    [`{"a":1}`, { tools, response_format: format }, true],
    ['{"b":1}', { tools, response_format: format }, false]
  ]
  const peerId = mesh.nodes.map(node => node.peerId)
  for (const [text, fields, honest] of cases) {
    let stages: Ring['stages'] = []
    mesh.ring.script = ring => {
      stages = ring.stages
      return says(text)(ring)
    }
    const response = await mesh.post({ ...QUESTION, ...fields })
    const body = await response.json()
    const keeps = await Promise.all(stages.map(stage => stage.keeps))
    t.same(keeps, [honest, honest], 'of a wrong answer nothing is kept')
    if (honest) t.equal(response.status, 200, text)
    else {
      t.match(
        [response.status, body],
        [502, { error: { code: 'protocol_violation', message: /breaks the constraint/ } }],
        text
      )
      t.ok(
        peerId.some(id => body.error.message.includes(id)),
        'it names the node'
      )
    }
  }
  const events = await readEvents(await mesh.post({ ...QUESTION, response_format: format, stream: true }))
  t.match(JSON.parse(events.at(-1) ?? ''), { error: { code: 'protocol_violation' } }, 'a stream ends with the error')
  t.notOk(events.includes('[DONE]'))
  mesh.ring.script = ({ sample, open }) => {
    const ids = tokenIdsOf('{"a":12345').slice(0, 3)
    return sample([...ids, ...Array(open.tokensMax - ids.length).fill(ids.at(-1))], 'tokens_max')
  }
  const cut = await mesh.post({ ...QUESTION, response_format: format, max_tokens: 3 })
  t.match(await cut.json(), { choices: [{ finish_reason: 'length' }] }, 'what was cut off is only begun')
  mesh.ring.script = ({ sample }) => sample(tokenIdsOf('nothing of the kind').slice(0, 3), 'tokens_max')
  const wrong = await mesh.post({ ...QUESTION, response_format: format, max_tokens: 3 })
  t.match(await wrong.json(), { error: { code: 'protocol_violation' } }, 'and must be begun')
})
