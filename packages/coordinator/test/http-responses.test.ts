import { MeshError } from '@resultity/interface'
import { openAiErrors } from '@resultity/test-api'
import type { Ring } from '@resultity/test-nodes'
import t from 'tap'
import { startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(2, { contextLength: 256 })
t.teardown(() => mesh[Symbol.asyncDispose]())
const { tokenizer } = mesh
const ANSWER = 'The capital of France is Paris.'
const answerIds = tokenizer.encode(ANSWER)
const [endToken = 0] = tokenizer.endTokenIds
const NOBODY = `resp_${'0'.repeat(32)}`

const says =
  (tokens: readonly number[]) =>
  ({ sample, open: { tokensMax } }: Ring) =>
    tokens.length < tokensMax
      ? sample([...tokens, endToken], 'end_token')
      : sample(tokens.slice(0, tokensMax), 'tokens_max')

/** Answers nothing until it is told to. */
function waits() {
  const gate = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  mesh.ring.script = async ring => {
    begun.resolve()
    await gate.promise
    await says(answerIds)(ring)
  }
  return { begun: begun.promise, open: () => gate.resolve() }
}

async function call(method: string, path: string, body?: unknown): Promise<Response> {
  return await fetch(`${mesh.coordinator.httpUrl}/v1/responses${path}`, {
    method,
    ...(body === undefined
      ? {}
      : {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ model: 'tiny-chat', ...Object(body) })
        })
  })
}

async function ok(method: string, path: string, body?: unknown) {
  const response = await call(method, path, body)
  const value = await response.json()
  if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(value)}`)
  if (value.object === 'response' && value.deleted === undefined) t.same(openAiErrors('Response', value), [])
  return value
}

interface Event {
  readonly type: string
  readonly sequence_number: number
  readonly [field: string]: unknown
}

/** The events of a whole stream, each checked to be named after its type. */
async function readEvents(response: Response): Promise<Event[]> {
  t.equal(response.status, 200)
  t.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  const blocks = (await response.text()).split('\n\n').filter(block => block !== '' && !block.startsWith(':'))
  return blocks.map(block => {
    const fields = new Map(block.split('\n').map(line => [line.slice(0, line.indexOf(':')), line]))
    const event: Event = JSON.parse(fields.get('data')?.slice('data: '.length) ?? '')
    t.equal(fields.get('event'), `event: ${event.type}`)
    t.same(openAiErrors('ResponseStreamEvent', event), [], event.type)
    return event
  })
}

/** Of the response that a stream is about. */
function idOf([created]: readonly Event[]): string {
  return /resp_[0-9a-f]{32}/.exec(JSON.stringify(created))?.[0] ?? ''
}

const replay = async (id: string, after?: number) => {
  return await readEvents(
    await call('GET', `/${id}?stream=true${after === undefined ? '' : `&starting_after=${after}`}`)
  )
}

/** Polls as a client does; the runner's own deadline ends a broken build. */
async function untilEnded(id: string) {
  await replay(id)
  return await ok('GET', `/${id}`)
}

t.test('a whole response is what OpenAI clients expect, and can be had again', async t => {
  mesh.ring.script = says(answerIds)
  const response = await ok('POST', '', { input: 'What is this?', metadata: { a: 'b' }, instructions: 'Be brief.' })
  t.match(response, {
    id: /^resp_[0-9a-f]{32}$/,
    status: 'completed',
    background: false,
    store: true,
    instructions: 'Be brief.',
    metadata: { a: 'b' },
    model: 'tiny-chat',
    temperature: 1,
    output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: ANSWER }] }],
    usage: { output_tokens: answerIds.length + 1 }
  })
  t.same(await ok('GET', `/${response.id}`), response)
  const events = await replay(response.id)
  t.same(events.at(-1)?.response, response, 'its events too, though nobody had asked for them')
  const cut = await ok('POST', '', { input: 'Hi', max_output_tokens: 2 })
  t.match(cut, { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } })
  const { output } = await ok('POST', '', { input: 'Hi', include: ['message.output_text.logprobs'], top_logprobs: 2 })
  t.equal(output[0].content[0].logprobs.length, answerIds.length)
})

t.test('a stream has the same events again from any of them on', async t => {
  mesh.ring.script = says(answerIds)
  const response = await call('POST', '', { input: 'What is this?', stream: true })
  t.match(response.headers.get('x-resultity-route'), /\[0,2\) .*\[2,4\)$/)
  const events = await readEvents(response)
  t.same(
    events.map(event => event.sequence_number),
    [...events.keys()]
  )
  const deltas = events.filter(event => event.type === 'response.output_text.delta')
  t.equal(deltas.map(event => event.delta).join(''), ANSWER)
  const id = idOf(events)
  t.same(await replay(id), events)
  const replays = await Promise.all(events.map((_, after) => replay(id, after)))
  t.same(
    replays,
    events.map((_, after) => events.slice(after + 1)),
    'after each of them'
  )
  t.same(await replay(id, 1_000_000), [])
})

t.test('in the background: told at once, polled, followed live, and finished without its client', async t => {
  const gate = waits()
  const first = await ok('POST', '', { input: 'What is this?', background: true })
  t.match(first, { background: true, completed_at: null, output: [] })
  t.match(first.status, /^(queued|in_progress)$/)
  await gate.begun
  const pending = await call('GET', `/${first.id}`)
  t.equal(pending.headers.get('openai-poll-after-ms'), '1000')
  t.match(await pending.json(), { id: first.id, status: 'in_progress' })
  const live = replay(first.id)
  gate.open()
  const events = await live
  t.same(
    events.slice(0, 3).map(event => event.type),
    ['response.created', 'response.queued', 'response.in_progress']
  )
  const done = await ok('GET', `/${first.id}`)
  t.match(done, { status: 'completed', output: [{ content: [{ text: ANSWER }] }] })
  t.same(events.at(-1)?.response, done)
  t.same(await ok('POST', `/${first.id}/cancel`), done, 'what has ended stays as it is')
})

t.test('a client that loses the stream of a background response goes on where it was', async t => {
  const gate = waits()
  const hangUp = new AbortController()
  const response = await fetch(`${mesh.coordinator.httpUrl}/v1/responses`, {
    method: 'POST',
    body: JSON.stringify({ model: 'tiny-chat', input: 'Hi', background: true, stream: true }),
    signal: hangUp.signal
  })
  let seen = ''
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    seen += piece
    if (seen.includes('response.queued')) break
  }
  hangUp.abort()
  gate.open()
  const id = /resp_[0-9a-f]{32}/.exec(seen)?.[0] ?? ''
  const rest = await replay(id, 1)
  t.match(rest[0], { type: 'response.in_progress', sequence_number: 2 })
  t.match(rest.at(-1), { type: 'response.completed', response: { output: [{ content: [{ text: ANSWER }] }] } })
})

t.test('a cancelled response is cancelled, and frees its slots', async t => {
  const gate = waits()
  const { id } = await ok('POST', '', { input: 'Hi', background: true, stream: false })
  await gate.begun
  const following = replay(id)
  t.match(await ok('POST', `/${id}/cancel`), { id, status: 'cancelled', output: [] })
  t.match((await following).at(-1), { type: 'response.incomplete', response: { status: 'cancelled' } })
  t.match(await ok('GET', `/${id}`), { status: 'cancelled' })
})

t.test('a response goes on with the one before it', async t => {
  mesh.ring.script = says(answerIds)
  const input = [{ role: 'user', content: [{ type: 'input_text', text: 'What is this?' }] }]
  const first = await ok('POST', '', { input, instructions: 'Forget this.' })
  let prompt: readonly number[] = []
  mesh.ring.script = ring => {
    prompt = ring.prompt
    return says(answerIds)(ring)
  }
  const body = { input: 'Go on.', previous_response_id: first.id, instructions: 'Be brief.' }
  const second = await ok('POST', '', body)
  const conversation = [
    { role: 'system' as const, content: 'Be brief.' },
    { role: 'user' as const, content: 'What is this?' },
    { role: 'assistant' as const, content: ANSWER },
    { role: 'user' as const, content: 'Go on.' }
  ]
  t.same(prompt, tokenizer.encodeChat(conversation, { addGenerationPrompt: true }))
  t.equal(second.previous_response_id, first.id)
  t.equal(second.usage.input_tokens, prompt.length)
  t.match(await ok('POST', '/input_tokens', body), { object: 'response.input_tokens', input_tokens: prompt.length })
  await ok('DELETE', `/${first.id}`)
  await ok('POST', '', { input: 'And now?', previous_response_id: second.id })
  t.match(tokenizer.decode(prompt), /What is this.*Go on.*And now/s, 'also when the first is not there any more')
  const [message] = second.output
  const byName = [
    { role: 'user', content: 'A' },
    { type: 'item_reference', id: message.id },
    { role: 'user', content: 'B' }
  ]
  await ok('POST', '', { input: byName })
  t.ok(tokenizer.decode(prompt).includes(ANSWER), 'an item may be named instead of sent again')
})

t.test('the input of a response is listed in pages, either way', async t => {
  mesh.ring.script = says(answerIds)
  const first = await ok('POST', '', { input: 'One.' })
  const { id } = await ok('POST', '', {
    previous_response_id: first.id,
    input: [
      { role: 'user', content: 'Two.' },
      { type: 'message', id: 'mine', role: 'user', content: [{ type: 'input_text', text: 'Three.' }] }
    ]
  })
  const all = await ok('GET', `/${id}/input_items?order=asc`)
  t.same(openAiErrors('ResponseItemList', all), [])
  t.match(
    all.data.map((item: { content: { text: string }[] }) => item.content[0]?.text),
    ['One.', ANSWER, 'Two.', 'Three.']
  )
  t.equal(all.data[3].id, 'mine')
  t.equal(new Set(all.data.map((item: { id: string }) => item.id)).size, 4)
  const newest = await ok('GET', `/${id}/input_items?limit=1`)
  t.match(newest, { first_id: 'mine', last_id: 'mine', has_more: true })
  const older = await ok('GET', `/${id}/input_items?after=mine`)
  t.same(older.data, all.data.slice(0, 3).toReversed())
  t.equal(older.has_more, false)
  t.equal((await call('GET', `/${id}/input_items?after=nothing`)).status, 400)
})

t.test('a response that is not to be kept cannot be had again, and a deleted one neither', async t => {
  mesh.ring.script = says(answerIds)
  const unkept = await ok('POST', '', { input: 'Hi', store: false })
  t.equal(unkept.store, false)
  const kept = await ok('POST', '', { input: 'Hi' })
  t.same(await ok('DELETE', `/${kept.id}`), { id: kept.id, object: 'response', deleted: true })
  const gate = waits()
  const running = await ok('POST', '', { input: 'Hi', background: true })
  await gate.begun
  t.match(await ok('DELETE', `/${running.id}`), { deleted: true }, 'one that runs is ended for it')
  for (const id of [unkept.id, kept.id, running.id, NOBODY, 'resp_x', 'x']) {
    for (const [method, path] of [
      ['GET', `/${id}`],
      ['GET', `/${id}?stream=true`],
      ['DELETE', `/${id}`],
      ['POST', `/${id}/cancel`],
      ['GET', `/${id}/input_items`]
    ] as const) {
      const response = await call(method, path)
      t.equal(response.status, 404, `${method} ${path}`)
      t.match(await response.json(), { error: { code: 'not_found', param: 'id' } })
    }
    const next = await call('POST', '', { input: 'Hi', previous_response_id: id })
    t.equal(next.status, 400)
    t.match(await next.json(), { error: { code: 'previous_response_not_found', param: 'previous_response_id' } })
  }
  mesh.ring.script = says(answerIds)
  const chat = await (await mesh.post({ model: 'tiny-chat', messages: [{ role: 'user', content: 'Hi' }] })).json()
  const other = `resp_${chat.id.replace('chatcmpl-', '')}`
  t.equal((await call('GET', `/${other}`)).status, 404, 'a chat completion is no response')
})

t.test('what is wrong is refused before anything is done, naming the field', async t => {
  mesh.ring.script = () => {
    throw new Error('nothing was to be generated')
  }
  const cases: [object, string][] = [
    [{}, 'input'],
    [{ input: 5 }, 'input'],
    [{ input: [{ role: 'user', content: 5 }] }, 'input'],
    [{ input: [{ role: 'nobody', content: 'x' }] }, 'input[0].role'],
    [{ input: 'word '.repeat(1000) }, 'input'],
    [{ input: 'x', temperature: 3 }, 'temperature'],
    [{ input: 'x', max_output_tokens: 0 }, 'max_output_tokens'],
    [{ input: 'x', top_logprobs: 21 }, 'top_logprobs'],
    [{ input: 'x', metadata: { a: 1 } }, 'metadata.a'],
    [
      {
        input: 'x',
        metadata: Object.fromEntries([...Array(17).keys()].map(n => [`k${n}`, '']))
      },
      'metadata'
    ],
    [{ input: 'x', background: true, store: false }, 'background'],
    [{ input: 'x', previous_response_id: NOBODY }, 'previous_response_id'],
    [{ input: 'x', history: [], previous_response_id: NOBODY }, 'previous_response_id'],
    [{ input: 'x', tools: [{ type: 'local_shell' }] }, 'tools[0].type'],
    [{ input: 'x', tool_choice: 5 }, 'tool_choice']
  ]
  for (const [body, param] of cases) {
    for (const path of ['', '/input_tokens']) {
      const response = await call('POST', path, body)
      const { error } = await response.json()
      t.equal(response.status, 400, JSON.stringify(body).slice(0, 80))
      t.equal(error.param, param)
    }
  }
  t.equal((await call('POST', '', { model: 'nothing', input: 'x' })).status, 404)
  for (const query of ['stream=1', 'stream=true&starting_after=x', 'stream=true&starting_after=-1']) {
    mesh.ring.script = says(answerIds)
    const { id } = await ok('POST', '', { input: 'x' })
    t.equal((await call('GET', `/${id}?${query}`)).status, 400, query)
  }
})

t.test('what fails says why, as an error before the answer and as its state after it', async t => {
  mesh.ring.script = async ({ stages: [first], open: { session, epoch } }) => {
    await first?.send({ type: 'fault', session, epoch, error: new MeshError('engine_failed', 'no more memory') })
  }
  const response = await call('POST', '', { input: 'x' })
  t.equal(response.status, 500)
  t.match(await response.json(), { error: { code: 'engine_failed' } })
  const { id } = await ok('POST', '', { input: 'x', background: true })
  t.match(await untilEnded(id), { status: 'failed', error: { code: 'server_error', message: String } })
  t.match((await replay(id)).at(-1), { type: 'response.failed', response: { status: 'failed' } })
})
