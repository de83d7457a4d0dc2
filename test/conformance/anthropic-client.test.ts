import Anthropic from '@anthropic-ai/sdk'
import { swarmFor } from '@resultity/testkit'
import t from 'tap'
import { eventually } from '../mesh-state.ts'
import { occupy, type RequestState, untilIdle, untilQueued } from './mesh-jobs.ts'
import { failureOf, LONG, MODEL, questions } from './questions.ts'

const [first, second] = await questions()
const { url } = await swarmFor(t, { nodes: 3, models: [MODEL], coordinatorArgs: ['--sessions=1'] })
const client = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 })

const ask = (content: string) => ({
  model: MODEL,
  max_tokens: 64,
  temperature: 0,
  messages: [{ role: 'user' as const, content }]
})

/** Small, for the model's context has room for little more than the words around it. */
const go: Anthropic.Tool = { name: 'go', input_schema: { type: 'object', properties: {}, additionalProperties: false } }

function textOf({ content }: Anthropic.Message): string {
  return content.map(block => (block.type === 'text' ? block.text : '')).join('')
}

t.test('a whole message, over three stages', async t => {
  const { data, response, request_id } = await client.messages.create(ask(first.question)).withResponse()
  t.equal(textOf(data), first.answer)
  t.equal(data.stop_reason, 'end_turn')
  t.match(request_id, /^req_/)
  t.ok((response.headers.get('x-resultity-route')?.split(' ').length ?? 0) > 1, 'nobody has all of the model')
  const counted = await client.messages.countTokens({ model: MODEL, messages: ask(first.question).messages })
  t.equal(counted.input_tokens, data.usage.input_tokens)
})

t.test('a stream, and the stream helper', async t => {
  let text = ''
  const stream = await client.messages.create({ ...ask(first.question), stream: true })
  for await (const event of stream) {
    if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') text += event.delta.text
  }
  t.equal(text, first.answer)
  const seen: string[] = []
  const helper = client.messages.stream(ask(first.question)).on('text', delta => seen.push(delta))
  const message = await helper.finalMessage()
  t.equal(seen.join(''), first.answer)
  t.equal(textOf(message), first.answer)
  const whole = await client.messages.create(ask(first.question))
  t.match(message, { ...whole, id: /^msg_/ }, 'the same, whole')
  t.ok(message.usage.output_tokens > 1)
})

t.test('many turns, blocks, a stop sequence', async t => {
  const messages: Anthropic.MessageParam[] = [...ask(first.question).messages]
  const one = await client.messages.create({ ...ask(''), messages })
  messages.push({ role: 'assistant', content: one.content }, { role: 'user', content: second.question })
  const two = await client.messages.create({
    ...ask(''),
    system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
    messages
  })
  t.ok(promptOf(two) > promptOf(one) + one.usage.output_tokens, 'the turns before are in the prompt')
  const [word = ''] = first.answer.split(' ').slice(1)
  const cut = await client.messages.create({ ...ask(first.question), stop_sequences: [word] })
  t.match(cut, { stop_reason: 'stop_sequence', stop_sequence: word })
  t.equal(textOf(cut), first.answer.slice(0, first.answer.indexOf(word)))
})

/** All tokens of a prompt: Anthropic's `input_tokens` are those that nobody had kept. */
function promptOf({ usage }: Anthropic.Message): number {
  return usage.input_tokens + (usage.cache_read_input_tokens ?? 0)
}

t.test('tools: a call that must come, whole and streamed, and what it answered', async t => {
  const body = {
    ...ask(first.question),
    tools: [go],
    tool_choice: { type: 'any' as const, disable_parallel_tool_use: true }
  }
  const message = await client.messages.create(body)
  t.equal(message.stop_reason, 'tool_use')
  const [call] = message.content
  if (call?.type !== 'tool_use') throw new Error(`no call: ${JSON.stringify(message.content)}`)
  t.match(call, { id: /^toolu_/, name: 'go', input: {} })
  const streamed = await client.messages.stream(body).finalMessage()
  t.match(streamed.content[0], { type: 'tool_use', name: 'go', input: call.input })
  const after = await client.messages.create({
    ...ask(''),
    tools: [go],
    messages: [
      ...body.messages,
      { role: 'assistant', content: message.content },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'done', is_error: false }] }
    ]
  })
  t.ok(promptOf(after) > promptOf(message))
})

t.test('the requests of coding agents are answered as they are', async t => {
  const { data, response } = await client.beta.messages
    .create({
      ...ask(first.question),
      betas: ['interleaved-thinking-2025-05-14'],
      max_tokens: 16_000,
      metadata: { user_id: 'user_1_session_2' },
      thinking: { type: 'adaptive' },
      tools: [{ type: 'web_search_20250305', name: 'web_search' }]
    })
    .withResponse()
  t.match(data.content, [{ type: 'text', text: first.answer }])
  t.equal(response.headers.get('x-resultity-ignored-tools'), 'web_search_20250305')
})

t.test('errors are of the right class, with type, code and request', async t => {
  const fails = async (
    work: PromiseLike<unknown>,
    kind: abstract new (...values: never) => Error,
    expected: object
  ) => {
    const error = await failureOf(work)
    t.ok(error instanceof kind, `${kind.name}, and not ${error}`)
    t.match(error, { requestID: /^req_/, ...expected })
  }
  const { messages } = client
  await fails(messages.create({ ...ask('a'), ...{ temperature: 9 } }), Anthropic.BadRequestError, {
    status: 400,
    type: 'invalid_request_error',
    errorCode: 'invalid_request',
    details: { param: 'temperature' }
  })
  await fails(messages.create({ ...ask('a'), model: 'claude-9' }), Anthropic.NotFoundError, {
    type: 'not_found_error',
    errorCode: 'model_not_found'
  })
  await fails(messages.create(ask('word '.repeat(9000))), Anthropic.BadRequestError, {
    errorCode: 'context_length_exceeded'
  })
  await fails(messages.create({ ...ask('a'), stream: true, max_tokens: 0 }), Anthropic.BadRequestError, {
    details: { param: 'max_tokens' }
  })
})

t.test('who leaves frees everything, before the first token and after', async t => {
  const long = { model: MODEL, messages: ask(first.question).messages, ...LONG }
  for (const stream of [false, true]) {
    await using others = await occupy(url, long)
    const leaving = new AbortController()
    const failing = failureOf(client.messages.create({ ...ask(first.question), stream }, { signal: leaving.signal }))
    const { id, endpoint } = await untilQueued(url, others)
    t.equal(endpoint, '/v1/messages')
    leaving.abort()
    t.ok((await failing) instanceof Anthropic.APIUserAbortError)
    await eventually(
      'the end of a request that nobody waits for',
      async () => client.get<RequestState>(`/v1/requests/${id}`),
      ({ status, started_at }) => status === 'cancelled' && started_at === null
    )
  }
  await untilIdle(url)
  const stream = await client.messages.create({ ...ask(first.question), stream: true })
  for await (const event of stream) if (event.type === 'content_block_delta') break
  await untilIdle(url)
  t.equal(textOf(await client.messages.create(ask(first.question))), first.answer)
})
