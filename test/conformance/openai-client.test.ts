import { fileURLToPath } from 'node:url'
import { swarmFor } from '@resultity/testkit'
import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import OpenAI6 from 'openai6'
import t from 'tap'
import { z } from 'zod'
import { eventually } from '../mesh-state.ts'
import { batches, cancelledBatch, files, refusals } from './batch-calls.ts'
import { occupy, type RequestState, untilIdle, untilQueued } from './mesh-jobs.ts'
import { failureOf, LONG, MODEL, questions } from './questions.ts'

const encoder = fileURLToPath(new URL('../../../packages/model/test/fixtures/tiny-encoder', import.meta.url))
const [first, second] = await questions()
const ask = (content: string) => ({ model: MODEL, temperature: 0, messages: [{ role: 'user' as const, content }] })

const { url } = await swarmFor(t, { nodes: 3, models: [MODEL, `file:${encoder}`], coordinatorArgs: ['--sessions=1'] })

const init = { baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }
const clients: readonly { readonly version: string; readonly client: OpenAI; readonly errors: typeof OpenAI }[] = [
  { version: '7', client: new OpenAI(init), errors: OpenAI },
  // the same calls by the same names; only the classes are others
  {
    version: '6',
    client: new OpenAI6(init) as unknown as OpenAI,
    errors: OpenAI6 as unknown as typeof OpenAI
  }
]

for (const { version, client, errors } of clients) {
  t.test(`openai ${version}: models`, async t => {
    const ids: string[] = []
    for await (const model of client.models.list()) ids.push(model.id)
    t.same(ids.toSorted(), [MODEL, 'tiny-encoder'])
    t.match(await client.models.retrieve(MODEL), { id: MODEL, object: 'model', owned_by: 'resultity' })
    const error = await failureOf(client.models.retrieve('org/other:free'))
    t.ok(error instanceof errors.NotFoundError, 'a slash in an id')
  })

  t.test(`openai ${version}: a whole answer, over three stages`, async t => {
    const { data, response, request_id } = await client.chat.completions.create(ask(first.question)).withResponse()
    t.equal(data.choices[0]?.message.content, first.answer)
    t.equal(data.choices[0]?.finish_reason, 'stop')
    t.ok(data.usage && data.usage.total_tokens === data.usage.prompt_tokens + data.usage.completion_tokens)
    t.match(request_id, /^req_/)
    t.ok((response.headers.get('x-resultity-route')?.split(' ').length ?? 0) > 1, 'nobody has all of the model')
  })

  t.test(`openai ${version}: a stream, with usage`, async t => {
    const stream = await client.chat.completions.create({
      ...ask(first.question),
      stream: true,
      stream_options: { include_usage: true }
    })
    let text = ''
    let usage: OpenAI.CompletionUsage | null | undefined
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      usage = chunk.usage
    }
    t.equal(text, first.answer)
    t.ok(usage && usage.completion_tokens > 1, 'the last chunk counts')
  })

  t.test(`openai ${version}: the stream helper`, async t => {
    const stream = client.chat.completions.stream({ ...ask(first.question), stream_options: { include_usage: true } })
    let text = ''
    stream.on('content', delta => {
      text += delta
    })
    const completion = await stream.finalChatCompletion()
    t.equal(text, first.answer)
    t.equal(completion.choices[0]?.message.content, first.answer)
    t.ok(completion.usage)
  })

  t.test(`openai ${version}: parsed answers`, async t => {
    const schema = z.object({ capital: z.enum(['Paris', 'Rome']), sure: z.boolean() })
    const body = { ...ask(first.question), response_format: zodResponseFormat(schema, 'capital') }
    const { choices } = await client.chat.completions.parse(body)
    t.match(choices[0]?.message.parsed, { capital: /^(Paris|Rome)$/, sure: Boolean })
    const streamed = await client.chat.completions.stream(body).finalChatCompletion()
    t.same(streamed.choices[0]?.message.parsed, choices[0]?.message.parsed, 'the same, streamed')
  })

  t.test(`openai ${version}: many turns, choices, logprobs`, async t => {
    const messages: OpenAI.ChatCompletionMessageParam[] = ask(first.question).messages
    const one = await client.chat.completions.create({ ...ask(''), messages })
    const [choice] = one.choices
    if (choice === undefined) throw new Error('there is no answer')
    messages.push(choice.message, { role: 'user', content: second.question })
    const two = await client.chat.completions.create({
      ...ask(''),
      messages: [{ role: 'developer', content: 'Be brief.' }, ...messages],
      max_completion_tokens: 4,
      n: 2,
      logprobs: true,
      top_logprobs: 2
    })
    t.ok((two.usage?.prompt_tokens ?? 0) > (one.usage?.total_tokens ?? 0), 'the turns before are in the prompt')
    t.same(
      two.choices.map(({ index, logprobs }) => [index, logprobs?.content?.[0]?.top_logprobs.length]),
      [
        [0, 2],
        [1, 2]
      ]
    )
  })

  t.test(`openai ${version}: chats that are stored, found, changed and deleted`, async t => {
    const metadata = { test: `stored ${version}` }
    const made = await client.chat.completions.create({ ...ask(first.question), store: true, metadata })
    const ids: string[] = []
    for await (const one of client.chat.completions.list({ metadata, limit: 1 })) ids.push(one.id)
    t.same(ids, [made.id])
    const kept = await client.chat.completions.retrieve(made.id)
    t.equal(kept.choices[0]?.message.content, first.answer)
    const said: (string | null)[] = []
    for await (const message of client.chat.completions.messages.list(made.id)) said.push(message.content)
    t.same(said, [first.question])
    t.match(await client.chat.completions.update(made.id, { metadata: { test: 'other' } }), { id: made.id })
    t.same((await client.chat.completions.list({ metadata })).data, [])
    t.match(await client.chat.completions.delete(made.id), { id: made.id, deleted: true })
    const error = await failureOf(client.chat.completions.retrieve(made.id))
    t.ok(error instanceof errors.NotFoundError)
  })

  t.test(`openai ${version}: embeddings, in its own encoding and as numbers`, async t => {
    const input = ['one text', 'and another']
    const packed = await client.embeddings.create({ model: 'tiny-encoder', input })
    const plain = await client.embeddings.create({ model: 'tiny-encoder', input, encoding_format: 'float' })
    t.same(
      packed.data.map(({ index }) => index),
      [0, 1]
    )
    for (const [index, { embedding }] of packed.data.entries()) {
      t.same(Array.from(embedding), plain.data[index]?.embedding)
    }
  })

  t.test(`openai ${version}: an answer to fetch later`, async t => {
    const options = { headers: { prefer: 'respond-async' } }
    const taken: unknown = await client.chat.completions.create(ask(first.question), options)
    const { id } = taken as { id: string }
    t.match(taken, { object: 'request', status: /queued|running/, status_url: String })
    await untilIdle(url)
    t.match(await client.get(`/requests/${id}`), { id, status: 'succeeded' })
    t.match(await client.get(`/requests/${id}/result`), { choices: [{ message: { content: first.answer } }] })
  })

  t.test(`openai ${version}: errors are of the right class, with code, field and request`, async t => {
    const fails = async (work: Promise<unknown>, kind: abstract new (...values: never) => Error, expected: object) => {
      const error = await failureOf(work)
      t.ok(error instanceof kind, `${kind.name}, and not ${error}`)
      t.match(error, { requestID: /^req_/, ...expected })
    }
    const { chat, images, embeddings } = client
    await fails(chat.completions.create({ ...ask('a'), temperature: 9 }), errors.BadRequestError, {
      status: 400,
      code: 'invalid_request',
      param: 'temperature',
      type: 'invalid_request_error'
    })
    await fails(chat.completions.create({ ...ask('a'), model: 'gpt-9' }), errors.NotFoundError, {
      code: 'model_not_found'
    })
    await fails(chat.completions.create(ask('word '.repeat(9000))), errors.BadRequestError, {
      code: 'context_length_exceeded'
    })
    await fails(embeddings.create({ model: MODEL, input: 'a' }), errors.BadRequestError, { param: 'model' })
    await fails(chat.completions.create({ ...ask('a'), stream: true, n: 0 }), errors.BadRequestError, { param: 'n' })
    await fails(images.generate({ model: 'x', prompt: 'a cat' }), errors.InternalServerError, {
      status: 501,
      code: 'not_implemented'
    })
    await fails(client.get('/assistants'), errors.NotFoundError, { code: 'unknown_url' })
  })

  t.test(`openai ${version}: files`, t => files(t, { client, errors }))
  t.test(`openai ${version}: batches`, t => batches(t, { client, errors }, [first, second]))
  t.test(`openai ${version}: a batch that is cancelled`, t => cancelledBatch(t, { client, errors }))
  t.test(`openai ${version}: files and batches that are refused`, t => refusals(t, { client, errors }))

  t.test(`openai ${version}: who leaves frees everything, before the first token and after`, async t => {
    const long = { ...ask(first.question), ...LONG }
    for (const stream of [false, true]) {
      await using others = await occupy(url, long)
      const leaving = new AbortController()
      const answer = client.chat.completions.create({ ...long, stream }, { signal: leaving.signal })
      const failing = failureOf(answer)
      const { id } = await untilQueued(url, others)
      leaving.abort()
      t.ok((await failing) instanceof errors.APIUserAbortError)
      await eventually(
        'the end of a request that nobody waits for',
        async () => client.get<RequestState>(`/requests/${id}`),
        ({ status, started_at }) => status === 'cancelled' && started_at === null
      )
    }
    await untilIdle(url)
    const stream = await client.chat.completions.create({ ...long, stream: true })
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
    await untilIdle(url)
    t.equal((await client.chat.completions.create(ask(first.question))).choices[0]?.message.content, first.answer)
  })
}
