import { fileURLToPath } from 'node:url'
import { swarmFor } from '@resultity/testkit'
import { Ollama } from 'ollama'
import t from 'tap'
import { eventually } from '../mesh-state.ts'
import { occupy, type RequestState, untilIdle, untilQueued } from './mesh-jobs.ts'
import { failureOf, LONG, MODEL, questions } from './questions.ts'

const [first, second] = await questions()
const encoder = fileURLToPath(new URL('../../../packages/model/test/fixtures/tiny-encoder', import.meta.url))
const ENCODER = 'tiny-encoder'
const { url } = await swarmFor(t, { nodes: 3, models: [MODEL, `file:${encoder}`], coordinatorArgs: ['--sessions=1'] })
const client = new Ollama({ host: url })

const options = { temperature: 0, num_predict: 64 }
const ask = (content: string) => ({ model: MODEL, options, messages: [{ role: 'user', content }] })

/** Small, for the model's context has room for little more than the words around it. */
const go = { type: 'function', function: { name: 'go', parameters: { type: 'object', properties: {} } } }

t.test('a chat, whole, over three stages', async t => {
  const answer = await client.chat(ask(first.question))
  t.equal(answer.message.content, first.answer)
  t.match(answer, { model: MODEL, done: true, done_reason: 'stop' })
  t.ok(answer.eval_count > 1 && answer.prompt_eval_count > 1)
  t.ok(answer.total_duration >= answer.eval_duration)
})

t.test('a chat, streamed', async t => {
  let text = ''
  let lines = 0
  for await (const { message, done, eval_count: count } of await client.chat({
    ...ask(first.question),
    stream: true
  })) {
    text += message.content
    lines++
    if (done) t.ok(count > 1)
  }
  t.equal(text, first.answer)
  t.ok(lines > 2)
})

t.test('many turns, a stop, the first tokens alone', async t => {
  const messages = [
    ...ask(first.question).messages,
    { role: 'assistant', content: first.answer },
    { role: 'user', content: second.question }
  ]
  const one = await client.chat(ask(first.question))
  const two = await client.chat({ ...ask(''), messages })
  t.ok(two.prompt_eval_count > one.prompt_eval_count)
  const [word = ''] = first.answer.split(' ').slice(1)
  const cut = await client.chat({ ...ask(first.question), options: { ...options, stop: [word] } })
  t.equal(cut.message.content, first.answer.slice(0, first.answer.indexOf(word)))
  const short = await client.chat({ ...ask(first.question), options: { ...options, num_predict: 2 } })
  t.match(short, { eval_count: 2, done_reason: 'length' })
})

t.test('generate: through the template, raw, and streamed', async t => {
  const ask = { model: MODEL, prompt: first.question, options }
  t.match(await client.generate(ask), { response: first.answer, done_reason: 'stop' })
  let text = ''
  for await (const part of await client.generate({ ...ask, stream: true })) text += part.response
  t.equal(text, first.answer)
  const prompt = `<s><|user|>\n${first.question}<|end|>\n<|assistant|>\n`
  t.match(await client.generate({ ...ask, prompt, raw: true }), { response: first.answer })
})

t.test('an answer that is held to a schema, or to JSON', async t => {
  const format = { type: 'object', properties: { city: { enum: ['Paris', 'Rome'] } }, required: ['city'] }
  const { message } = await client.chat({ ...ask(first.question), format })
  t.match(JSON.parse(message.content), { city: /^(?:Paris|Rome)$/ })
  const { response } = await client.generate({ model: MODEL, prompt: first.question, format, options })
  t.match(JSON.parse(response ?? ''), { city: /^(?:Paris|Rome)$/ })
  const any = await client.chat({ ...ask(first.question), format: 'json', options: { ...options, num_predict: 8 } })
  t.match(any.message.content, /^\s*\{/)
})

t.test('tools: the model is told of them, and their answers are part of the conversation', async t => {
  const plain = await client.chat(ask(first.question))
  const told = await client.chat({ ...ask(first.question), tools: [go] })
  t.ok(told.prompt_eval_count > plain.prompt_eval_count)
  const after = await client.chat({
    ...ask(''),
    tools: [go],
    messages: [
      ...ask(first.question).messages,
      { role: 'assistant', content: '', tool_calls: [{ function: { name: 'go', arguments: {} } }] },
      { role: 'tool', content: 'done', tool_name: 'go' }
    ]
  })
  t.ok(after.prompt_eval_count > told.prompt_eval_count)
})

t.test('vectors, one and several', async t => {
  const { embeddings, prompt_eval_count: count } = await client.embed({ model: ENCODER, input: ['a cat', 'a dog'] })
  t.equal(embeddings.length, 2)
  t.ok(count > 2)
  const [one = []] = (await client.embed({ model: ENCODER, input: 'a cat' })).embeddings
  t.strictSame(one, embeddings[0])
  t.strictSame((await client.embeddings({ model: ENCODER, prompt: 'a cat' })).embedding, one)
  const [short = []] = (await client.embed({ model: ENCODER, input: 'a cat', dimensions: 8 })).embeddings
  t.equal(short.length, 8)
  const long = 'a cat '.repeat(2000)
  t.equal((await client.embed({ model: ENCODER, input: long })).embeddings.length, 1, 'cut off')
  const failure = await failureOf(client.embed({ model: ENCODER, input: long, truncate: false }))
  t.match(failure, { name: 'ResponseError', status_code: 400 })
  t.strictSame((await client.embed({ model: ENCODER, input: [] })).embeddings, [])
})

t.test('models, and what is known of them', async t => {
  const { models } = await client.list()
  t.strictSame(models.map(({ name }) => name).toSorted(), [MODEL, ENCODER].toSorted())
  const shown = await client.show({ model: MODEL })
  t.match(shown, { capabilities: ['completion', 'tools'], details: { family: 'llama' } })
  t.match(await client.show({ model: ENCODER }), { capabilities: ['embedding'] })
  t.ok((await client.ps()).models.some(({ name }) => name === MODEL))
  t.match(await client.version(), { version: /^\d/ })
})

t.test('what is not served says so, and what to do', async t => {
  for (const work of [
    () => client.pull({ model: 'llama3' }),
    () => client.push({ model: 'llama3' }),
    () => client.create({ model: 'x', from: MODEL }),
    () => client.copy({ source: MODEL, destination: 'x' }),
    () => client.delete({ model: MODEL })
  ]) {
    t.match(await failureOf(work()), { name: 'ResponseError', status_code: 501, message: /--model/ })
  }
  t.match(await failureOf(client.chat({ ...ask('a'), model: 'llama3' })), { status_code: 404, message: /"llama3"/ })
  t.match(await failureOf(client.chat({ ...ask('a'), think: true, stream: true })), { status_code: 400 })
})

t.test('who leaves frees everything, before the first token and after', async t => {
  const long = { model: MODEL, messages: ask(first.question).messages, ...LONG }
  for (const stream of [false, true]) {
    await using others = await occupy(url, long)
    const leaving = new AbortController()
    // by itself it can leave only what has begun
    const { signal } = leaving
    const impatient = new Ollama({ host: url, fetch: (input, init) => fetch(input, { ...init, signal }) })
    const question = ask(first.question)
    const failing = failureOf(stream ? impatient.chat({ ...question, stream }) : impatient.chat(question))
    const { id, endpoint } = await untilQueued(url, others)
    t.equal(endpoint, '/api/chat')
    leaving.abort()
    t.match(await failing, { name: 'AbortError' })
    await eventually(
      'the end of a request that nobody waits for',
      async (): Promise<RequestState> => (await fetch(`${url}/v1/requests/${id}`)).json(),
      ({ status, started_at }) => status === 'cancelled' && started_at === null
    )
  }
  await untilIdle(url)
  const stream = await client.chat({ ...ask(first.question), stream: true })
  for await (const _ of stream) {
    stream.abort()
    break
  }
  await untilIdle(url)
  t.equal((await client.chat(ask(first.question))).message.content, first.answer)
})
