import type { Ring } from '@resultity/test-nodes'
import { Ollama } from 'ollama'
import t from 'tap'
import { startScriptedMesh } from './support/scripted-mesh.ts'

const mesh = await startScriptedMesh(2, { subclouds: { home: { models: [] } } })
t.teardown(() => mesh[Symbol.asyncDispose]())
const { tokenizer } = mesh
const [endToken = 0] = tokenizer.endTokenIds
const ANSWER = 'The capital of France is Paris.'
const url = mesh.coordinator.httpUrl
const ask = { model: 'tiny-chat', messages: [{ role: 'user', content: 'What is this?' }] }
const go = { type: 'function', function: { name: 'go', parameters: { type: 'object', properties: {} } } }

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

async function post(path: string, body: object, headers: Record<string, string> = {}) {
  return await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
}

async function ok(path: string, body: object) {
  const response = await post(path, { ...body, stream: false })
  const value = await response.json()
  if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(value)}`)
  return value
}

async function readLines(response: Response) {
  t.equal(response.status, 200)
  t.match(response.headers.get('content-type'), /^application\/x-ndjson/)
  const text = await response.text()
  t.ok(text.endsWith('\n'))
  return text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
}

t.test('a chat, whole: text, counts, times in nanoseconds', async t => {
  answers(ANSWER)
  const answer = await ok('/api/chat', ask)
  t.match(answer, {
    model: 'tiny-chat',
    created_at: /^\d{4}-.*Z$/,
    message: { role: 'assistant', content: ANSWER },
    done: true,
    done_reason: 'stop',
    eval_count: tokenizer.encode(ANSWER).length + 1
  })
  t.ok(answer.prompt_eval_count > 0)
  t.ok(answer.total_duration >= answer.load_duration + answer.prompt_eval_duration)
  t.match(await ok('/api/chat', { ...ask, options: { num_predict: 2 } }), { done_reason: 'length', eval_count: 2 })
  t.match(await ok('/api/chat', { ...ask, model: 'tiny-chat:latest' }), { model: 'tiny-chat' }, 'no tag is the latest')
})

t.test('a chat is streamed unless told otherwise: a line for each piece, and a last one with all counts', async t => {
  answers(ANSWER)
  const lines = await readLines(await post('/api/chat', ask))
  t.equal(lines.map(({ message }) => message.content).join(''), ANSWER)
  t.ok(lines.length > 2)
  const last = lines.pop()
  t.match(last, { done: true, done_reason: 'stop', message: { role: 'assistant', content: '' }, eval_duration: Number })
  t.ok(lines.every(({ done, done_reason }) => done === false && done_reason === undefined))
  const later = await post('/api/chat', ask, { prefer: 'respond-async' })
  const { request_id: id } = await later.json()
  await (await fetch(`${url}/v1/requests/${id}/events`)).text()
  const again = await readLines(await fetch(`${url}/v1/requests/${id}/events?format=endpoint`))
  t.equal(again.map(({ message }) => message.content).join(''), ANSWER)
})

t.test('a call is a line of its own, with values', async t => {
  answers('<tool_call>\n{"name": "go", "arguments": {"x": [1, 2]}}\n</tool_call>')
  const expected = [{ id: /^call_/, function: { index: 0, name: 'go', arguments: { x: [1, 2] } } }]
  t.match(await ok('/api/chat', { ...ask, tools: [go] }), {
    done_reason: 'stop',
    message: { content: '', tool_calls: expected }
  })
  const lines = await readLines(await post('/api/chat', { ...ask, tools: [go] }))
  t.match(
    lines.flatMap(({ message }) => message.tool_calls ?? []),
    expected
  )
})

t.test('the turns of a conversation, and one that is gone on with', async t => {
  answers(ANSWER)
  await ok('/api/chat', {
    ...ask,
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Go.' },
      { role: 'assistant', content: '', tool_calls: [{ function: { name: 'go', arguments: {} } }] },
      { role: 'tool', content: 'gone', tool_name: 'go' }
    ],
    tools: [go]
  })
  for (const text of ['Be brief.', '"name": "go"', 'gone']) t.ok(prompt.includes(text), text)
  await ok('/api/chat', { ...ask, messages: [...ask.messages, { role: 'assistant', content: 'The capital' }] })
  t.ok(prompt.endsWith('The capital'), 'no turn is begun')
})

t.test('a prompt, through the template of the model or raw', async t => {
  answers(ANSWER)
  t.match(await ok('/api/generate', { model: 'tiny-chat', prompt: 'Who?', system: 'Be brief.' }), {
    response: ANSWER,
    done: true
  })
  t.ok(prompt.includes('Be brief.') && prompt.includes('Who?') && !prompt.endsWith('Who?'))
  t.match(await ok('/api/generate', { model: 'tiny-chat', prompt: 'Who?', raw: true }), { response: ANSWER })
  t.equal(prompt.trim(), 'Who?')
  const lines = await readLines(await post('/api/generate', { model: 'tiny-chat', prompt: 'Who?', raw: true }))
  t.equal(lines.map(({ response }) => response).join(''), ANSWER)
  t.match(lines.at(-1), { done: true, done_reason: 'stop' })
})

t.test('how likely the tokens were', async t => {
  answers('Paris')
  const { logprobs } = await ok('/api/chat', { ...ask, logprobs: true, top_logprobs: 0 })
  t.ok(logprobs.length > 0)
  t.match(logprobs[0], { token: String, logprob: Number })
})

t.test('without messages or a prompt the answer is that the model is there', async t => {
  t.match(await ok('/api/chat', { model: 'tiny-chat', messages: [], keep_alive: '5m' }), {
    done: true,
    done_reason: 'load',
    message: { content: '' }
  })
  t.match(await readLines(await post('/api/generate', { model: 'tiny-chat' })), [
    { done: true, done_reason: 'load', response: '' }
  ])
})

t.test('what is wrong is said in a text, with code and field', async t => {
  const fails = async (path: string, body: object, status: number, expected: object) => {
    const response = await post(path, body)
    t.equal(response.status, status, JSON.stringify(body).slice(0, 80))
    t.match(await response.json(), { error: String, ...expected })
  }
  const invalid = (param: string) => ({ code: 'invalid_request', param })
  await fails('/api/chat', { ...ask, model: 'none' }, 404, { code: 'model_not_found', param: 'model' })
  await fails('/api/chat', { ...ask, options: { temperature: 9 } }, 400, invalid('options.temperature'))
  await fails('/api/chat', { ...ask, options: { num_predict: 'x' } }, 400, invalid('options.num_predict'))
  await fails('/api/chat', { ...ask, options: { mirostat: 2 } }, 400, invalid('options.mirostat'))
  await fails('/api/chat', { ...ask, format: 'yaml' }, 400, invalid('format'))
  await fails('/api/chat', { ...ask, format: { type: 'nothing' } }, 400, { param: /^format/ })
  await fails('/api/chat', { ...ask, think: true }, 400, invalid('think'))
  await fails('/api/chat', { ...ask, messages: [{ role: 'user', content: [] }] }, 400, invalid('messages[0].content'))
  await fails('/api/chat', { ...ask, messages: [{ role: 'user', content: 'a '.repeat(9000) }] }, 400, {
    code: 'context_length_exceeded',
    param: 'messages'
  })
  await fails('/api/generate', { model: 'tiny-chat', prompt: 'a '.repeat(9000) }, 400, { param: 'prompt' })
  await fails('/api/generate', { model: 'tiny-chat', prompt: 'a', suffix: 'b' }, 400, invalid('suffix'))
  await fails('/api/embed', { model: 'tiny-chat', input: 'a' }, 400, invalid('model'))
  for (const name of ['pull', 'push', 'create', 'copy']) {
    await fails(`/api/${name}`, { model: 'tiny-chat' }, 501, { error: /--model/, code: 'not_implemented' })
  }
  const removed = await fetch(`${url}/api/delete`, { method: 'DELETE', body: JSON.stringify({ model: 'tiny-chat' }) })
  t.equal(removed.status, 501)
})

t.test('an answer that fails midway ends with a line that says so', async t => {
  mesh.ring.script = async ({ sample, stages, open: { session, epoch }, prompt: ids }) => {
    const said = tokenizer.encode('The capital')
    await sample(said)
    const frame = { type: 'sampled' as const, session, epoch: epoch + 1, position: ids.length + said.length, token: 5 }
    await stages.at(-1)?.send({ ...frame, finish: 'continues', logprob: 0, top: [] })
  }
  const lines = await readLines(await post('/api/chat', ask))
  t.match(lines.at(-1), { error: String, code: 'protocol_violation' })
})

t.test('while nothing comes, empty lines keep the connection alive', async t => {
  await using slow = await startScriptedMesh(1, { limits: { eventStreamPingMs: 10 } })
  const seen = Promise.withResolvers<void>()
  slow.ring.script = async ring => {
    await seen.promise
    await ring.sample([...tokenizer.encode(ANSWER), endToken], 'end_token')
  }
  const client = new Ollama({ host: slow.coordinator.httpUrl })
  let lines = 0
  let text = ''
  for await (const { message } of await client.chat({ ...ask, stream: true })) {
    if (message.content === '' && ++lines === 2) seen.resolve()
    text += message.content
  }
  t.equal(text, ANSWER)
})

t.test('the models that there are, each in full, and those that nodes hold', async t => {
  const { models } = await (await fetch(`${url}/api/tags`)).json()
  t.match(models, [
    {
      name: 'tiny-chat',
      model: 'tiny-chat',
      digest: /^[0-9a-f]{64}$/,
      details: { family: 'llama', parameter_size: /^[\d.]+[KMB]$/ }
    }
  ])
  t.ok(models[0].size > 0)
  const shown = await ok('/api/show', { model: 'tiny-chat' })
  t.match(shown, {
    template: /messages/,
    capabilities: ['completion', 'tools'],
    model_info: { 'general.architecture': 'llama', 'llama.context_length': Number, 'llama.block_count': Number }
  })
  t.strictSame(await ok('/api/show', { name: 'tiny-chat:latest' }), shown)
  t.match((await post('/api/show', { model: 'none' })).status, 404)
  t.match(await (await fetch(`${url}/api/ps`)).json(), { models: [{ name: 'tiny-chat', expires_at: String }] })
  t.match(await (await fetch(`${url}/api/version`)).json(), { version: /^\d+\.\d+\.\d+$/ })
})

t.test('a subcloud has its own models', async t => {
  t.strictSame(await (await fetch(`${url}/subclouds/home/api/tags`)).json(), { models: [] })
  t.strictSame(await (await fetch(`${url}/subclouds/home/api/ps`)).json(), { models: [] })
  t.equal((await fetch(`${url}/subclouds/none/api/tags`)).status, 404)
  t.equal((await post('/subclouds/home/api/chat', { ...ask, stream: false })).status >= 400, true)
})

t.test('from the first key on, a key is needed here too', async t => {
  const made = await post('/v1/admin/keys', { scopes: ['admin', 'inference'] })
  const { key } = await made.json()
  for (const path of ['/api/tags', '/api/ps', '/api/version']) t.equal((await fetch(`${url}${path}`)).status, 401, path)
  const refused = await post('/api/chat', ask)
  t.equal(refused.status, 401)
  t.match(await refused.json(), { error: String, code: String })
  answers(ANSWER)
  const served = await post('/api/chat', { ...ask, stream: false }, { authorization: `Bearer ${key}` })
  t.match(await served.json(), { message: { content: ANSWER } })
  const usage = await fetch(`${url}/v1/usage`, { headers: { authorization: `Bearer ${key}` } })
  t.ok([200, 403].includes(usage.status))
})
