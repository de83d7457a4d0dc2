import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddingJob, toEmbeddingResult } from '@resultity/interface'
import { checkFetches } from '@resultity/test-api'
import { type ScriptedJob, ScriptedNode } from '@resultity/test-nodes'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { startCoordinator } from '../src/index.ts'

const fixture = (name: string): string => `file:${join(import.meta.dirname, '../../../model/test/fixtures', name)}`
const WIDTHS: Readonly<Record<string, number>> = { 'tiny-cross-encoder': 1, 'tiny-moderator': 6, 'tiny-encoder': 32 }
const RERANKER = 'tiny-cross-encoder'

interface Mesh {
  readonly jobs: EmbeddingJob[]
  post(path: string, body: unknown): Promise<{ status: number; body: Answer }>
}

// biome-ignore lint/suspicious/noExplicitAny: read by the tests as what it is
type Answer = any

/** A coordinator of these models; the numbers of an input are its third token, counted up. */
async function startMesh(t: Test, models: readonly string[]): Promise<Mesh> {
  const dataDir = await mkdtemp(join(tmpdir(), 'resultity-coordinator-'))
  const coordinator = await startCoordinator({
    dataDir,
    http: { host: '127.0.0.1', port: 0 },
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    models: models.map(name => (name === 'tiny-chat' ? name : fixture(name))),
    logger: pino({ level: 'silent' }),
    // scripted nodes have no heart
    limits: { heartbeatIntervalMs: 600_000, joinSettleMs: 0 }
  })
  const check = checkFetches(coordinator.httpUrl)
  const jobs: EmbeddingJob[] = []
  const answer = async ({ request, send }: ScriptedJob): Promise<void> => {
    const job: EmbeddingJob = JSON.parse(new TextDecoder().decode(request.body))
    jobs.push(job)
    const width = WIDTHS[request.model] ?? 1
    const numbers = job.inputs.flatMap((input, at) => {
      const told = input[job.seconds?.[at] ?? 1] ?? 0
      return Array.from({ length: width }, (_, index) => (told % 10) / 2 - 2 + index)
    })
    await send({ type: 'started', sequence: 0 })
    const result = toEmbeddingResult(Float32Array.from(numbers), width)
    await send({ type: 'result', sequence: 1, result: new TextEncoder().encode(JSON.stringify(result)) })
  }
  const node = await ScriptedNode.start({ onJob: answer })
  await node.join({ peerId: coordinator.peerId, multiaddrs: coordinator.multiaddrs() })
  t.teardown(async () => {
    await coordinator.close()
    await node.kill()
    await rm(dataDir, { recursive: true, force: true })
    await check[Symbol.asyncDispose]()
  })
  return {
    jobs,
    post: async (path, body) => {
      const response = await fetch(`${coordinator.httpUrl}${path}`, { method: 'POST', body: JSON.stringify(body) })
      return { status: response.status, body: await response.json() }
    }
  }
}

const mesh = await startMesh(t, [RERANKER, 'tiny-moderator', 'tiny-encoder', 'tiny-chat'])
const documents = ['the cat', 'of the dog', 'and', { text: 'in the house', title: 'x' }]

t.test('documents are ordered by a cross-encoder, in the shapes of Jina and Cohere', async t => {
  mesh.jobs.length = 0
  const { status, body } = await mesh.post('/v1/rerank', { model: RERANKER, query: 'what', documents })
  t.equal(status, 200, JSON.stringify(body))
  t.match(body, { id: /^rerank-/, object: 'list', model: RERANKER, scored_by: 'cross_encoder' })
  const scores = body.results.map(({ relevance_score: score }: Answer) => score)
  t.strictSame(
    scores,
    [...scores].sort((a, b) => b - a)
  )
  t.ok(
    scores.every((score: number) => score > 0 && score < 1),
    'through a sigmoid'
  )
  t.strictSame(body.results.map(({ index }: Answer) => index).toSorted(), [0, 1, 2, 3])
  for (const { index, document } of body.results) {
    const sent = documents[index]
    t.equal(document.text, typeof sent === 'string' ? sent : sent?.text)
  }
  t.equal(body.usage.prompt_tokens, mesh.jobs[0]?.inputs.flat().length)
  t.ok(mesh.jobs[0]?.seconds?.every((second, at) => second < (mesh.jobs[0]?.inputs[at]?.length ?? 0)))

  const best = await mesh.post('/rerank', {
    query: 'what',
    documents,
    top_n: 2,
    return_documents: false,
    model: RERANKER
  })
  t.strictSame(
    best.body.results,
    body.results.slice(0, 2).map(({ index, relevance_score }: Answer) => ({ index, relevance_score }))
  )
  const cohere = await mesh.post('/v2/rerank', { query: 'what', documents, model: RERANKER })
  t.notOk('document' in cohere.body.results[0])
  t.match(cohere.body, { meta: { billed_units: { input_tokens: body.usage.prompt_tokens } } })
})

t.test('pairs are scored, each with each or one with all', async t => {
  const one = await mesh.post('/v1/score', { model: RERANKER, text_1: 'what', text_2: ['the cat', 'and'] })
  t.match(one.body, {
    id: /^score-/,
    object: 'list',
    data: [
      { index: 0, object: 'score', score: Number },
      { index: 1, object: 'score', score: Number }
    ],
    usage: { completion_tokens: 0 }
  })
  const each = await mesh.post('/score', { model: RERANKER, text_1: ['what', 'what'], text_2: ['the cat', 'and'] })
  t.strictSame(each.body.data, one.body.data)
  t.match(await mesh.post('/score', { model: RERANKER, text_1: ['a', 'b'], text_2: ['c', 'd', 'e'] }), {
    status: 400,
    body: { error: { param: 'text_2', message: /2 texts and text_2 3/ } }
  })
})

t.test('an embedding model scores by the angle between vectors, and reads each text once', async t => {
  mesh.jobs.length = 0
  const { body } = await mesh.post('/v1/rerank', {
    model: 'tiny-encoder',
    query: 'the',
    documents: ['the', 'and', 'and']
  })
  t.equal(body.scored_by, 'cosine')
  t.equal(body.results[0].index, 0)
  t.ok(Math.abs(body.results[0].relevance_score - 1) < 1e-6, 'the same text')
  t.equal(mesh.jobs[0]?.inputs.length, 2)
})

t.test('what is wrong is said of its field, before any node hears of it', async t => {
  mesh.jobs.length = 0
  const long = 'the '.repeat(60)
  const ask = { model: RERANKER, query: 'what', documents }
  const cases: Record<string, [object, string, RegExp?]> = {
    'no query': [{ query: undefined }, 'query'],
    'no documents': [{ documents: [] }, 'documents'],
    'an empty document': [{ documents: ['a', ''] }, 'documents[1]', /empty text/],
    'a document that is none': [{ documents: ['a', 3] }, 'documents[1]'],
    'an image': [{ documents: [{ image: 'x' }] }, 'documents[0]'],
    'none of the best': [{ top_n: 0 }, 'top_n'],
    'a document that is too long': [{ documents: ['a', long] }, 'documents[1]', /truncate_prompt_tokens/],
    'other fields': [{ rank_fields: ['title'] }, 'rank_fields'],
    'several pieces': [{ max_chunks_per_doc: 2 }, 'max_chunks_per_doc'],
    'tokens of a document': [{ max_tokens_per_doc: 10 }, 'max_tokens_per_doc'],
    'a truncation to nothing': [{ truncate_prompt_tokens: 3 }, 'truncate_prompt_tokens', /4 to 48/],
    'a model that generates text': [{ model: 'tiny-chat' }, 'model', /"tiny-cross-encoder"/],
    'a model with many labels': [{ model: 'tiny-moderator' }, 'model', /6 labels/]
  }
  for (const [name, [fields, param, message = /./]] of Object.entries(cases)) {
    const { status, body } = await mesh.post('/v1/rerank', { ...ask, ...fields })
    t.match({ status, error: body.error }, { status: 400, error: { code: String, param, message } }, name)
  }
  t.equal(mesh.jobs.length, 0)
  t.equal((await mesh.post('/v1/rerank', { ...ask, documents: [long], truncate_prompt_tokens: -1 })).status, 200)
  const embeddings = await mesh.post('/v1/embeddings', { model: RERANKER, input: 'a' })
  t.match(embeddings, {
    status: 400,
    body: { error: { param: 'model', message: /gives no embeddings.*"tiny-encoder"/ } }
  })
})

t.test('labels of a model are told in the categories of OpenAI', async t => {
  const { status, body } = await mesh.post('/v1/moderations', { input: ['the', 'and'] })
  t.equal(status, 200, JSON.stringify(body))
  t.match(body, { id: /^modr-/, model: 'tiny-moderator' })
  t.equal(body.results.length, 2, 'the only model that has labels')
  const [{ flagged, categories, category_scores: scores, category_applied_input_types: types }] = body.results
  t.equal(Object.keys(scores).length, 13, '"neutral" is none')
  for (const [name, score] of Object.entries(scores)) t.equal(categories[name], Number(score) >= 0.5, name)
  t.equal(flagged, Object.values(categories).includes(true))
  t.strictSame([types.hate, types.violence], [['text'], []], 'what the model has no label for')
  t.ok(scores.sexual > scores['self-harm'], 'in the order of the labels')
  const parts = await mesh.post('/v1/moderations', { input: [{ type: 'text', text: 'the' }], model: 'tiny-moderator' })
  t.strictSame(parts.body.results, body.results.slice(0, 1))
  for (const [fields, param] of [
    [{ input: [{ type: 'image_url', image_url: { url: 'x' } }] }, 'input[0].type'],
    [{ input: 'a', model: RERANKER }, 'model'],
    [{ input: 'a', model: 'tiny-chat' }, 'model'],
    [{ input: [] }, 'input'],
    [{ input: 'the '.repeat(60) }, 'input']
  ] as const) {
    t.match(await mesh.post('/v1/moderations', fields), { status: 400, body: { error: { param } } }, param)
  }
})

t.test('where no model does it, the answer says which would', async t => {
  const plain = await startMesh(t, ['tiny-chat'])
  for (const [path, body] of [
    ['/v1/rerank', { query: 'a', documents: ['b'] }],
    ['/score', { text_1: 'a', text_2: 'b' }],
    ['/v1/moderations', { input: 'a' }]
  ] as const) {
    t.match(await plain.post(path, body), {
      status: 501,
      body: { error: { code: 'not_implemented', message: /no model does that.*--model/ } }
    })
  }
})
