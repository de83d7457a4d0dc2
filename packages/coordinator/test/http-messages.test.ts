import type { Ring } from '@resultity/test-nodes'
import t from 'tap'
import { startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(2)
t.teardown(() => mesh[Symbol.asyncDispose]())
const { tokenizer } = mesh
const [endToken = 0] = tokenizer.endTokenIds
const ANSWER = 'The capital of France is Paris.'
const MESSAGES = '/v1/messages'
const body = { model: 'tiny-chat', max_tokens: 64, messages: [{ role: 'user', content: 'What is this?' }] }
const shell = { name: 'shell', description: 'Runs a command.', input_schema: { type: 'object', properties: {} } }

let prompt = ''
/** Has the nodes answer with this text, as far as the limit lets them. */
function answers(text: string): void {
  const tokens = [...tokenizer.encode(text), endToken]
  mesh.ring.script = ({ sample, open: { tokensMax }, prompt: ids }: Ring) => {
    prompt = tokenizer.decode(ids)
    const whole = tokens.length <= tokensMax
    return sample(whole ? tokens : tokens.slice(0, tokensMax), whole ? 'end_token' : 'tokens_max')
  }
}

async function post(fields: object, path = MESSAGES, headers: Record<string, string> = {}) {
  return await fetch(`${mesh.coordinator.httpUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', ...headers },
    body: JSON.stringify({ ...body, ...fields })
  })
}

async function ok(fields: object, path = MESSAGES) {
  const response = await post(fields, path)
  const value = await response.json()
  if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(value)}`)
  return value
}

interface Event {
  readonly type: string
  readonly [field: string]: unknown
}

/** The events of a whole stream, each checked to be named after its type. */
async function readEvents(response: Response): Promise<Event[]> {
  t.equal(response.status, 200)
  const blocks = (await response.text()).split('\n\n').filter(block => block !== '' && !block.startsWith(':'))
  return blocks.map(block => {
    const [, name, data = ''] = /^event: (\w+)\ndata: (.*)(?:\nid: \d+)?$/.exec(block) ?? []
    const event: Event = JSON.parse(data)
    t.equal(event.type, name)
    return event
  })
}

const typesOf = (events: readonly Event[]) => events.map(({ type }) => type)

t.test('a whole message, and why it ended', async t => {
  answers(ANSWER)
  const response = await post({ system: 'Be brief.' })
  t.match(response.headers.get('x-resultity-route'), /\[0,2\) .*\[2,4\)$/)
  t.equal(response.headers.get('request-id'), response.headers.get('x-request-id'))
  const message = await response.json()
  t.match(message, {
    id: /^msg_[0-9a-f]{32}$/,
    type: 'message',
    role: 'assistant',
    model: 'tiny-chat',
    content: [{ type: 'text', text: ANSWER }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { output_tokens: tokenizer.encode(ANSWER).length + 1 }
  })
  t.match(prompt, /Be brief\.[\s\S]*What is this\?/)
  t.match(await ok({ max_tokens: 2 }), { stop_reason: 'max_tokens', usage: { output_tokens: 2 } })
  const stopped = await ok({ stop_sequences: ['Rome', ' France', 'Paris'] })
  t.match(stopped, {
    stop_reason: 'stop_sequence',
    stop_sequence: ' France',
    content: [{ type: 'text', text: 'The capital of' }]
  })
  const { input_tokens: counted } = await ok({ system: 'Be brief.', max_tokens: undefined }, `${MESSAGES}/count_tokens`)
  t.equal(counted, message.usage.input_tokens)
})

t.test('a stream has the events that clients wait for, in their order', async t => {
  answers(ANSWER)
  const events = await readEvents(await post({ stream: true, stop_sequences: ['Paris'] }))
  const deltas = events.filter(({ type }) => type === 'content_block_delta')
  t.same(typesOf(events.filter(event => !deltas.includes(event))), [
    'message_start',
    'ping',
    'content_block_start',
    'content_block_stop',
    'message_delta',
    'message_stop'
  ])
  const texts = deltas.map(({ delta }) => (delta as { text: string }).text)
  t.equal(texts.join(''), 'The capital of France is ')
  const [start] = events as [Event & { message: { usage: { input_tokens: number } } }]
  t.match(start.message, { content: [], stop_reason: null, usage: { output_tokens: 0 } })
  t.match(events.at(-2), {
    delta: { stop_reason: 'stop_sequence', stop_sequence: 'Paris' },
    usage: { input_tokens: start.message.usage.input_tokens, output_tokens: Number }
  })
})

t.test('calls are blocks, and what they answered is read', async t => {
  answers('Let me look.\n<tool_call>\n{"name": "shell", "arguments": {"command": "ls"}}\n</tool_call>')
  const message = await ok({ tools: [shell] })
  t.match(prompt, /Runs a command\./)
  t.match(message, {
    stop_reason: 'tool_use',
    content: [
      { type: 'text', text: 'Let me look.' },
      { type: 'tool_use', id: /^toolu_/, name: 'shell', input: { command: 'ls' } }
    ]
  })
  const events = await readEvents(await post({ tools: [shell], stream: true }))
  const starts = events.filter(({ type }) => type === 'content_block_start')
  t.match(starts, [
    { index: 0, content_block: { type: 'text', text: '' } },
    { index: 1, content_block: { type: 'tool_use', id: /^toolu_/, name: 'shell', input: {} } }
  ])
  const json = events.flatMap(({ delta }) => (delta as { partial_json?: string })?.partial_json ?? [])
  t.same(JSON.parse(json.join('')), { command: 'ls' })
  t.match(events.at(-2), { delta: { stop_reason: 'tool_use' } })
  answers('Done.')
  const [, call] = message.content
  const messages = [
    ...body.messages,
    { role: 'assistant', content: [{ type: 'thinking', thinking: 'Hm.', signature: 'x' }, ...message.content] },
    {
      role: 'user',
      content: [
        {
          type: 'tool_result',
          tool_use_id: call.id,
          content: [{ type: 'text', text: 'no such file' }],
          is_error: true
        },
        { type: 'text', text: 'Go on.' }
      ]
    }
  ]
  t.match(await ok({ tools: [shell], messages }), { content: [{ text: 'Done.' }], stop_reason: 'end_turn' })
  t.match(prompt, /Let me look\.[\s\S]*"ls"[\s\S]*Error: no such file[\s\S]*Go on\./)
  t.notMatch(prompt, /Hm\./)
})

t.test('what coding agents send is answered', async t => {
  answers(ANSWER)
  const cached = { cache_control: { type: 'ephemeral' } }
  const response = await post(
    {
      system: [
        { type: 'text', text: 'You are an agent.', ...cached },
        { type: 'text', text: 'Be careful.', ...cached }
      ],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello', ...cached }] }],
      tools: [
        { ...shell, name: `mcp__server__${'tool_'.repeat(12)}`, description: undefined },
        { type: 'web_search_20250305', name: 'web_search', max_uses: 5 },
        { type: 'mcp_toolset', mcp_server_name: 'x' },
        { type: 'custom', ...shell, ...cached }
      ],
      thinking: { type: 'enabled', budget_tokens: 1024 },
      context_management: { edits: [] },
      metadata: { user_id: 'user_1_account__session_2' },
      service_tier: 'auto',
      max_tokens: 32_000,
      stream: true
    },
    `${MESSAGES}?beta=true`,
    { 'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14', 'x-api-key': 'sk-ant-anything' }
  )
  if (!response.ok) t.fail(await response.text())
  t.equal(response.headers.get('x-resultity-ignored-tools'), 'web_search_20250305, mcp_toolset')
  t.equal(response.headers.get('x-resultity-ignored-fields'), 'thinking, context_management')
  t.equal(typesOf(await readEvents(response)).at(-1), 'message_stop')
  t.match(prompt, /You are an agent\.\nBe careful\./)
  const plain = await post({ thinking: { type: 'adaptive' } })
  await plain.text()
  t.equal(plain.headers.get('x-resultity-ignored-fields'), null)
})

t.test('an answer can be held to calls and to a schema, and fetched later', async t => {
  const held = '<tool_call>\n{"name": "shell", "arguments": {}}\n</tool_call>'
  answers(held)
  t.match(await ok({ tools: [shell], tool_choice: { type: 'any' } }), {
    content: [{ type: 'tool_use', name: 'shell' }]
  })
  t.match(await ok({ tools: [shell], tool_choice: { type: 'tool', name: 'shell' } }), { stop_reason: 'tool_use' })
  t.match(await ok({ tools: [shell], tool_choice: { type: 'none' } }), { content: [{ type: 'text', text: held }] })
  answers('{"a": 1}')
  const schema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] }
  const format = { type: 'json_schema', schema }
  t.match(await ok({ output_config: { format } }), { content: [{ text: '{"a": 1}' }] })
  const accepted = await post({ stream: true }, `${MESSAGES}?async=true`)
  const { status_url: statusUrl, response_url: resultUrl, events_url: eventsUrl } = await accepted.json()
  t.equal(accepted.status, 202)
  const events = await readEvents(await fetch(`${mesh.coordinator.httpUrl}${eventsUrl}?format=endpoint`))
  t.equal(typesOf(events).at(-1), 'message_stop')
  t.match(await (await fetch(`${mesh.coordinator.httpUrl}${statusUrl}`)).json(), {
    endpoint: MESSAGES,
    status: 'succeeded'
  })
  t.match(await (await fetch(`${mesh.coordinator.httpUrl}${resultUrl}`)).json(), { type: 'message' })
})

t.test('errors are told as Anthropic tells them, and name the field', async t => {
  answers(ANSWER)
  const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: '' } }
  const user = (content: unknown) => ({ messages: [{ role: 'user', content }] })
  const cases: readonly (readonly [object, string])[] = [
    [{ max_tokens: undefined }, 'max_tokens'],
    [user([image]), 'messages[0].content[0].type'],
    [user([]), 'messages[0].content'],
    [user([{ type: 'tool_result', content: 'a' }]), 'messages[0].content[0].tool_use_id'],
    [user([{ type: 'tool_result', tool_use_id: 'a', content: [image] }]), 'messages[0].content[0].content[0].type'],
    [{ system: [image] }, 'system[0].type'],
    [{ messages: [...body.messages, { role: 'assistant', content: 'It is' }] }, 'messages[1]'],
    [user('word '.repeat(600)), 'messages'],
    [{ tools: [{ type: 'bash_20250124', name: 'bash' }] }, 'tools[0].type'],
    [{ tools: [{ name: 'f' }] }, 'tools[0].input_schema'],
    [{ tools: [{ type: 'web_search' }, { ...shell, name: 'a b' }] }, 'tools[1].name'],
    [
      {
        tools: [{ type: 'web_search' }, { ...shell, input_schema: { type: 'array' } }],
        tool_choice: { type: 'any' }
      },
      'tools[1].input_schema.type'
    ],
    [{ tools: [shell], tool_choice: { type: 'tool' } }, 'tool_choice.name'],
    [{ tools: [shell], tool_choice: { type: 'tool', name: 'other' } }, 'tool_choice.name'],
    [{ tool_choice: { type: 'any' } }, 'tool_choice'],
    [{ output_config: { format: { type: 'json_schema', schema: { type: 7 } } } }, 'output_config.format'],
    [{ models: ['a'] }, 'models']
  ]
  for (const [fields, param] of cases) {
    const response = await post(fields)
    const text = await response.text()
    t.equal(response.status, 400, `${param} ${text}`)
    const { type, error, request_id: id } = JSON.parse(text)
    t.match({ type, error }, { type: 'error', error: { type: 'invalid_request_error' } }, param)
    t.ok(error.details.param?.startsWith(param), `${error.details.param}, and not ${param}`)
    t.equal(id, response.headers.get('request-id'))
  }
  const unknown = await post({ model: 'claude-9' })
  t.equal(unknown.status, 404)
  t.match(await unknown.json(), { error: { type: 'not_found_error', details: { error_code: 'model_not_found' } } })
  const broken = await fetch(`${mesh.coordinator.httpUrl}${MESSAGES}`, { method: 'POST', body: '{' })
  t.match(await broken.json(), { type: 'error', error: { type: 'invalid_request_error' } })
  const counted = await post({ system: 5 }, `${MESSAGES}/count_tokens`)
  t.match(await counted.json(), { type: 'error', error: { details: { param: 'system' } } })
  const batches = await post({}, `${MESSAGES}/batches`)
  t.equal(batches.status, 501)
})

t.test('what fails while it is computed is an error in the same form, whole, streamed and fetched', async t => {
  const fails = async ({ sample }: Ring): Promise<void> => {
    await sample(tokenizer.encode('Not JSON'), 'continues')
    await sample([endToken], 'end_token')
  }
  mesh.ring.script = fails
  const schema = { type: 'object', properties: {}, required: [] }
  const held = { output_config: { format: { type: 'json_schema', schema } } }
  const whole = await post(held)
  t.equal(whole.status, 502)
  t.match(await whole.json(), {
    type: 'error',
    error: { type: 'api_error', details: { error_code: 'protocol_violation' } }
  })
  const events = await readEvents(await post({ ...held, stream: true }))
  t.match(events.at(-1), { type: 'error', error: { type: 'api_error' } })
  const accepted = await (await post(held, `${MESSAGES}?async=true`)).json()
  const log = await fetch(`${mesh.coordinator.httpUrl}${accepted.events_url}`)
  await log.text()
  const result = await fetch(`${mesh.coordinator.httpUrl}${accepted.response_url}`)
  t.equal(result.status, 502)
  t.match(await result.json(), { type: 'error', request_id: accepted.request_id })
})

t.test('messages may be lines of a batch, where errors have the form of the batch', async t => {
  answers(ANSWER)
  const line = (id: string, fields: object) => ({ custom_id: id, url: MESSAGES, body: { ...body, ...fields } })
  const response = await fetch(`${mesh.coordinator.httpUrl}/v1/batch`, {
    method: 'POST',
    body: JSON.stringify({ requests: [line('a', {}), line('b', { max_tokens: 0 })] })
  })
  t.match(await response.json(), {
    responses: [
      { response: { status_code: 200, body: { type: 'message', content: [{ text: ANSWER }] } } },
      { response: { status_code: 400, body: { error: { code: 'invalid_request', param: 'max_tokens' } } } }
    ]
  })
})

t.test('a key comes as Anthropic’s clients send it', async t => {
  answers(ANSWER)
  const made = await fetch(`${mesh.coordinator.httpUrl}/v1/admin/keys`, {
    method: 'POST',
    body: JSON.stringify({ scopes: ['admin', 'inference'] })
  })
  const { key } = await made.json()
  for (const path of [MESSAGES, `${MESSAGES}/count_tokens`]) {
    for (const headers of [{}, { 'x-api-key': 'sk-ant-none' }]) {
      const refused = await post({}, path, headers)
      t.equal(refused.status, 401)
      t.match(await refused.json(), { type: 'error', error: { type: 'authentication_error' } })
    }
    const taken = await post({}, path, { 'x-api-key': key })
    t.equal(taken.status, 200, await taken.text())
  }
  const unknown = await fetch(`${mesh.coordinator.httpUrl}${MESSAGES}`, { headers: { 'x-api-key': key } })
  t.equal(unknown.status, 405)
  await unknown.text()
})
