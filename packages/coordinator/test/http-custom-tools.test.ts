import { openAiErrors } from '@resultity/test-api'
import type { Ring } from '@resultity/test-nodes'
import OpenAI from 'openai'
import t from 'tap'
import { QUESTION, readEvents, startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(2)
t.teardown(() => mesh[Symbol.asyncDispose]())
const endToken = [...mesh.tokenizer.endTokenIds][0] ?? 0
const client = new OpenAI({ baseURL: `${mesh.coordinator.httpUrl}/v1`, apiKey: 'none', maxRetries: 0 })
const question = { ...QUESTION, messages: [{ role: 'user' as const, content: 'What is this?' }] }

let prompt = ''
const says =
  (text: string) =>
  ({ sample, prompt: ids }: Ring) => {
    prompt = mesh.tokenizer.decode(ids)
    return sample([...mesh.tokenizer.encode(text), endToken], 'end_token')
  }

const CALL = '<tool_call>\n{"name": "run", "arguments": {"input": "p\\"1\\"\\n"}}\n</tool_call>'
const INPUT = 'p"1"\n'
const definition = 'p"\\d"\\n'
const format = { type: 'grammar' as const, grammar: { syntax: 'regex' as const, definition } }
const custom = { type: 'custom' as const, custom: { name: 'run', description: 'Run p.' } }
const held = { type: 'custom' as const, custom: { ...custom.custom, format } }

t.test("a custom tool is called with a text, through OpenAI's client, whole and streamed", async t => {
  const asked: [OpenAI.ChatCompletionTool, OpenAI.ChatCompletionToolChoiceOption][] = [
    [custom, 'auto'],
    [held, 'auto'],
    [held, 'required'],
    [held, { type: 'custom', custom: { name: 'run' } }]
  ]
  for (const [tool, choice] of asked) {
    mesh.ring.script = says(CALL)
    const whole = await client.chat.completions.create({ ...question, tools: [tool], tool_choice: choice })
    t.same(openAiErrors('CreateChatCompletionResponse', whole), [])
    t.match(whole.choices[0], { finish_reason: 'tool_calls', message: { content: null } })
    t.match(whole.choices[0]?.message.tool_calls, [{ type: 'custom', custom: { name: 'run', input: INPUT } }])
    t.match(prompt, 'Run p.')
    mesh.ring.script = says(CALL)
    const stream = client.chat.completions.stream({ ...question, tools: [tool], tool_choice: choice })
    const streamed = await stream.finalChatCompletion()
    t.match(streamed.choices[0]?.message.tool_calls, [{ type: 'custom', custom: { name: 'run', input: INPUT } }])
  }
})

t.test('what the model is not held to is named, and what cannot be held to is refused', async t => {
  mesh.ring.script = says(CALL)
  const free = await mesh.post({ ...question, tools: [held] })
  t.equal(free.headers.get('x-resultity-relaxed'), 'tools[0].format')
  await free.body?.cancel()
  mesh.ring.script = says(CALL.replace('1', 'x'))
  const broken = await mesh.post({ ...question, tools: [held], tool_choice: 'required' })
  t.match(await broken.json(), { error: { code: 'protocol_violation' } }, 'a node that samples another text')
  const bad = (syntax: string, text: string) => ({
    type: 'custom',
    custom: { name: 'run', format: { type: 'grammar', grammar: { syntax, definition: text } } }
  })
  const refused: [unknown, string][] = [
    [bad('regex', '(a)\\1'), 'tools[0].custom.format.grammar.definition'],
    [bad('regex', ''), 'tools[0].custom.format.grammar.definition'],
    [bad('gbnf', 'x'), 'tools[0].custom.format.grammar.syntax'],
    [{ type: 'custom', custom: { name: 'run', format: { type: 'xml' } } }, 'tools[0].custom.format.type'],
    [{ type: 'mcp' }, 'tools[0].type']
  ]
  for (const [tool, param] of refused) {
    const response = await mesh.post({ ...question, tools: [tool] })
    t.match([response.status, await response.json()], [400, { error: { param } }], param)
  }
})

t.test('an input may be of a grammar in Lark, and so may an answer', async t => {
  const lark = (text: string) => ({
    type: 'custom',
    custom: { name: 'run', format: { type: 'grammar', grammar: { syntax: 'lark', definition: text } } }
  })
  const rules = 'start: "p" /"\\d"\\n/'
  mesh.ring.script = says(CALL)
  const answer = await mesh.post({ ...question, tools: [lark(rules)], tool_choice: 'required' })
  t.match(await answer.json(), { choices: [{ message: { tool_calls: [{ custom: { input: INPUT } }] } }] })
  mesh.ring.script = says(CALL.replace('1', 'x'))
  const broken = await mesh.post({ ...question, tools: [lark(rules)], tool_choice: 'required' })
  t.match(await broken.json(), { error: { code: 'protocol_violation' } })
  for (const text of ['root ::= "a"', 'start: x']) {
    const refused = await mesh.post({ ...question, tools: [lark(text)] })
    t.match(await refused.json(), { error: { param: 'tools[0].custom.format.grammar.definition' } }, text)
  }
  for (const [text, code] of [
    ['p"1"\n', undefined],
    ['p1', 'protocol_violation']
  ]) {
    mesh.ring.script = says(text ?? '')
    const held = await (await mesh.post({ ...question, structured_outputs: { grammar: rules } })).json()
    t.equal(held.error?.code, code)
  }
})

t.test('a call of a custom tool and its answer are part of the prompt', async t => {
  mesh.ring.script = says('fine')
  const call = { id: 'a', type: 'custom', custom: { name: 'run', input: INPUT } }
  const messages = [
    ...question.messages,
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', tool_call_id: 'a', content: 'one' }
  ]
  t.equal((await mesh.post({ ...question, messages, tools: [custom] })).status, 200)
  t.match(prompt, JSON.stringify({ input: INPUT }))
  t.match(prompt, '<tool_response>\none\n</tool_response>')
})

t.test('responses have items of custom tools, and events of their inputs', async t => {
  const tool = { type: 'custom' as const, name: 'run', format: { type: 'grammar' as const, ...format.grammar } }
  for (const choice of ['auto', 'required', { type: 'custom' as const, name: 'run' }] as const) {
    mesh.ring.script = says(CALL)
    const asked = { model: 'tiny-chat', input: 'Run it.', tools: [tool], tool_choice: choice }
    const whole = await client.responses.create(asked)
    t.match(whole.output, [{ type: 'custom_tool_call', id: /^ctc_/, name: 'run', input: INPUT, status: 'completed' }])
    t.match(whole.tools, [{ type: 'custom', name: 'run', format: { type: 'grammar', syntax: 'regex' } }])
    mesh.ring.script = says(CALL)
    const stream = client.responses.stream(asked)
    let input = ''
    let done: unknown
    for await (const event of stream) {
      if (event.type === 'response.custom_tool_call_input.delta') input += event.delta
      if (event.type === 'response.custom_tool_call_input.done') done = event
    }
    t.equal(input, INPUT)
    t.match(done, { input: INPUT, item_id: /^ctc_/, output_index: 0 })
    t.match((await stream.finalResponse()).output, [{ type: 'custom_tool_call', input: INPUT }])
    mesh.ring.script = says('fine')
    const [item] = whole.output
    const callId = item?.type === 'custom_tool_call' ? item.call_id : ''
    const next = await client.responses.create({
      model: 'tiny-chat',
      tools: [{ type: 'custom', name: 'run' }],
      previous_response_id: whole.id,
      input: [{ type: 'custom_tool_call_output', call_id: callId, output: 'one' }]
    })
    t.equal(next.output_text, 'fine')
    t.match(prompt, JSON.stringify({ input: INPUT }))
    t.match(prompt, '<tool_response>\none\n</tool_response>')
  }
  const bad = { ...tool, format: { type: 'grammar', syntax: 'regex', definition: '(a)\\1' } }
  const refused = await client.responses
    .create({
      model: 'tiny-chat',
      input: 'x',
      tools: [bad]
    } as unknown as OpenAI.Responses.ResponseCreateParamsNonStreaming)
    .catch((error: unknown) => error)
  t.match(refused, { status: 400, param: 'tools[0].format.definition' })
})

t.test("who speaks of functions is answered in the same words, through OpenAI's client", async t => {
  const call = '<tool_call>\n{"name": "now", "arguments": {"zone": "UTC"}}\n</tool_call>'
  const functions = [{ name: 'now', parameters: { type: 'object' } }]
  for (const choice of ['auto', { name: 'now' }] as const) {
    mesh.ring.script = says(call)
    const whole = await client.chat.completions.create({ ...question, functions, function_call: choice })
    t.same(openAiErrors('CreateChatCompletionResponse', whole), [])
    const [choiceMade] = whole.choices
    const message = choiceMade?.message
    t.equal(choiceMade?.finish_reason, 'function_call')
    t.match(message, { content: null, tool_calls: undefined, function_call: { name: 'now', arguments: /"UTC"/ } })
    mesh.ring.script = says(call)
    const asked = { ...question, functions, function_call: choice, stream: true }
    const chunks = (await readEvents(await mesh.post(asked))).slice(0, -1).map(event => JSON.parse(event))
    t.same(
      chunks.flatMap(chunk => openAiErrors('CreateChatCompletionStreamResponse', chunk)),
      []
    )
    const deltas = chunks.map(chunk => chunk.choices[0].delta)
    t.notOk(deltas.some(delta => delta.tool_calls !== undefined || typeof delta.content === 'string'))
    const pieces = deltas.flatMap(delta => delta.function_call ?? [])
    t.same(pieces[0], { name: 'now', arguments: '' })
    t.same(JSON.parse(pieces.map(piece => piece.arguments).join('')), { zone: 'UTC' })
    t.equal(chunks.at(-1).choices[0].finish_reason, 'function_call')
    mesh.ring.script = says('noon')
    const messages = [
      ...question.messages,
      { role: 'assistant' as const, content: null, function_call: message?.function_call ?? null },
      { role: 'function' as const, name: 'now', content: '12:00' }
    ]
    const next = await client.chat.completions.create({ ...question, messages, functions })
    t.match(next.choices[0], { finish_reason: 'stop', message: { content: 'noon' } })
    t.match(prompt, /"name": "now", "arguments": \{"zone": ?"UTC"\}/)
    t.match(prompt, '<tool_response>\n12:00\n</tool_response>')
  }
  mesh.ring.script = says(call)
  const none = await mesh.post({ ...question, functions, function_call: 'none' })
  t.match(await none.json(), { choices: [{ finish_reason: 'stop', message: { content: call } }] })
  for (const [fields, param] of [
    [{ function_call: { name: 'now' } }, 'function_call'],
    [{ functions, tools: [custom] }, 'functions'],
    [{ functions: [{ name: 'a b' }] }, 'functions[0].name']
  ] as const) {
    const response = await mesh.post({ ...question, ...fields })
    t.match([response.status, await response.json()], [400, { error: { param } }], param)
  }
})
