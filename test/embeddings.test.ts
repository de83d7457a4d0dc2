import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Swarm, swarmFor } from '@resultity/testkit'
import OpenAI from 'openai'
import { type Test, test } from 'tap'
import { ask } from './chat-client.ts'
import { eventually } from './mesh-state.ts'

const encoder = fileURLToPath(new URL('../../packages/model/test/fixtures/tiny-encoder', import.meta.url))
const fixture = new URL('../../packages/model/test/fixtures/embeddings/tiny-encoder.json', import.meta.url)

/** Made by scripts/reference-embeddings.py. */
interface Reference {
  readonly texts: readonly { readonly text: string; readonly ids: number[]; readonly vector: number[] }[]
}

const MODEL = 'tiny-encoder'

async function postEmbeddings(url: string, body: object, signal?: AbortSignal): Promise<Response> {
  return fetch(`${url}/v1/embeddings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: MODEL, ...body }),
    ...(signal === undefined ? {} : { signal })
  })
}

async function embed(url: string, body: object): Promise<{ vectors: number[][]; tokens: number; route: string }> {
  const response = await postEmbeddings(url, body)
  const text = await response.text()
  if (response.status !== 200) throw new Error(`status ${response.status}: ${text}`)
  const answer: { data: { embedding: number[]; index: number }[]; usage: { prompt_tokens: number } } = JSON.parse(text)
  const vectors = answer.data.toSorted((a, b) => a.index - b.index).map(({ embedding }) => embedding)
  return {
    vectors,
    tokens: answer.usage.prompt_tokens,
    route: response.headers.get('x-resultity-route') ?? ''
  }
}

function cosineOf(a: readonly number[], b: readonly number[]): number {
  const dot = a.reduce((sum, value, at) => sum + value * (b[at] ?? Number.NaN), 0)
  return dot / Math.hypot(...a) / Math.hypot(...b)
}

test('an encoder beside a split model: the vectors of transformers through HTTP', async t => {
  const { texts }: Reference = JSON.parse(await readFile(fixture, 'utf8'))
  const fitting = texts.filter(({ ids }) => ids.length < 40)
  const swarm = await swarmFor(t, { nodes: 3, models: ['tiny-chat', `file:${encoder}`], separateBlobs: true })
  const { url } = swarm
  const placements = await swarm.api.placements()
  t.equal(placements.find(({ model }) => model === MODEL)?.stages.length, 1, 'served whole')
  t.equal(placements.find(({ model }) => model === 'tiny-chat')?.stages.length, 3, 'cut')

  await t.test('texts, alone and in a list', async t => {
    const { vectors, tokens, route } = await embed(url, { input: fitting.map(({ text }) => text) })
    t.equal(
      tokens,
      fitting.reduce((sum, { ids }) => sum + ids.length, 0)
    )
    t.match(route, /^\w+\[0,2\)$/)
    for (const [index, { text, vector }] of fitting.entries()) {
      t.ok(cosineOf(vectors[index] ?? [], vector) > 0.9999, text)
      const alone = await embed(url, { input: text })
      t.ok(cosineOf(alone.vectors[0] ?? [], vector) > 0.9999, 'alone')
    }
  })

  await t.test('token ids, which are framed as texts are', async t => {
    const inner = texts.map(({ ids }) => ids.slice(1, -1))
    const { vectors } = await embed(url, { input: inner })
    for (const [index, { text, vector }] of texts.entries()) {
      t.ok(cosineOf(vectors[index] ?? [], vector) > 0.9999, text.slice(0, 40))
    }
    const { vectors: one } = await embed(url, { input: inner[0] })
    t.equal(one.length, 1)
    t.ok(cosineOf(one[0] ?? [], texts[0]?.vector ?? []) > 0.9999)
  })

  await t.test('more inputs than one job holds come in order', async t => {
    const input = Array.from({ length: 600 }, (_, index) => `number ${index}`)
    const { vectors } = await embed(url, { input })
    t.equal(vectors.length, 600)
    for (const index of [0, 255, 256, 511, 512, 599]) {
      const alone = await embed(url, { input: input[index] })
      t.ok(cosineOf(vectors[index] ?? [], alone.vectors[0] ?? []) > 0.9999, `input ${index}`)
    }
  })

  await t.test('the official client reads both encodings', async t => {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })
    const input = fitting.map(({ text }) => text)
    // without a format the client asks for base64 and decodes it
    const packed = await client.embeddings.create({ model: MODEL, input })
    const plain = await client.embeddings.create({ model: MODEL, input, encoding_format: 'float' })
    t.same(packed.data, plain.data)
    const short = await client.embeddings.create({ model: MODEL, input, dimensions: 8 })
    t.equal(short.data[0]?.embedding.length, 8)
    t.ok(cosineOf(short.data[0]?.embedding ?? [], plain.data[0]?.embedding.slice(0, 8) ?? []) > 0.99999)
    t.ok(Math.abs(Math.hypot(...(short.data[0]?.embedding ?? [])) - 1) < 1e-5)
  })

  await t.test('each model refuses the other kind of request, and both go on', async t => {
    const chat = { messages: [{ role: 'user', content: 'What is the capital of France?' }] }
    await t.rejects(ask(url, { model: MODEL, ...chat }), /status 400.*"param":"model"/)
    const response = await postEmbeddings(url, { model: 'tiny-chat', input: 'a' })
    t.equal(response.status, 400)
    t.match(await response.json(), { error: { param: 'model', message: /no embeddings.*"tiny-encoder"/ } })
    t.match((await ask(url, { model: 'tiny-chat', ...chat })).answer.choices[0]?.message.content, /Paris/)
  })
})

test('an encoder whose node is killed is served by another, and no request is lost', async t => {
  const swarm = await swarmFor(t, { nodes: 2, models: [`file:${encoder}`] })
  const [before] = await embed(swarm.url, { input: 'the same' }).then(({ vectors }) => vectors)
  const input = Array.from({ length: 2048 }, (_, index) => `word number ${index} of many that go on and on`)
  const serving = (await swarm.api.placements())[0]?.stages[0]?.peerId
  const node = swarm.nodes.find(({ peerId }) => peerId === serving)
  // stopped first, so that the request cannot be through before the node is dead
  process.kill(Number(node?.pid), 'SIGSTOP')
  const running = embed(swarm.url, { input })
  await untilBusy(t, swarm)
  await node?.kill('SIGKILL')
  const { vectors, route } = await running
  t.equal(vectors.length, 2048)
  t.notMatch(route, new RegExp(String(serving)))
  const [after] = await embed(swarm.url, { input: 'the same' }).then(({ vectors }) => vectors)
  t.ok(cosineOf(before ?? [], after ?? []) > 0.9999)
})

test('a client that hangs up frees its place', async t => {
  const swarm = await swarmFor(t, { nodes: 1, models: [`file:${encoder}`], coordinatorArgs: ['--sessions=1'] })
  const input = Array.from({ length: 2048 }, (_, index) => `word number ${index} of many that go on and on`)
  const controller = new AbortController()
  process.kill(Number(swarm.nodes[0]?.pid), 'SIGSTOP')
  const hungUp = postEmbeddings(swarm.url, { input }, controller.signal)
  await untilBusy(t, swarm)
  controller.abort()
  await t.rejects(hungUp)
  process.kill(Number(swarm.nodes[0]?.pid), 'SIGCONT')
  t.equal((await embed(swarm.url, { input: 'next' })).vectors.length, 1)
})

/** Resolves when a job holds a place. */
async function untilBusy(t: Test, swarm: Swarm): Promise<void> {
  await eventually(
    'a job holds a place',
    () => swarm.api.placements(),
    ([placement]) => {
      if (!t.passing()) throw new Error('the test has failed meanwhile')
      return Number(placement?.sessionsOpen) > 0
    }
  )
}
