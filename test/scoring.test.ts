import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { swarmFor } from '@resultity/testkit'
import OpenAI from 'openai'
import t from 'tap'

const fixtures = new URL('../../packages/model/test/fixtures/', import.meta.url)
const folder = (name: string): string => `file:${fileURLToPath(new URL(name, fixtures))}`
const RERANKER = 'tiny-cross-encoder'
const MODERATOR = 'tiny-moderator'

/** Made by scripts/reference-scores.py. */
interface Reference {
  readonly texts: readonly { readonly first: string; readonly logits: number[] }[]
  readonly pairs: readonly { readonly first: string; readonly second: string; readonly logits: number[] }[]
}

async function reference(name: string): Promise<Reference> {
  return JSON.parse(await readFile(new URL(`scores/${name}.json`, fixtures), 'utf8'))
}

const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value))
const near = (a: number, b: number | undefined): boolean => Math.abs(a - (b ?? Number.NaN)) < 1e-4

const { url } = await swarmFor(t, { nodes: 2, models: ['tiny-chat', folder(RERANKER), folder(MODERATOR)] })

async function post(path: string, body: object) {
  const response = await fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  return await response.json()
}

t.test('a query and its documents, as transformers scores them', async t => {
  const { pairs } = await reference(RERANKER)
  const query = pairs[0]?.first ?? ''
  const asked = pairs.filter(({ first }) => first === query)
  const { results } = await post('/v1/rerank', { model: RERANKER, query, documents: asked.map(({ second }) => second) })
  t.equal(results.length, asked.length)
  for (const { index, relevance_score: score } of results) {
    t.ok(near(score, sigmoid(asked[index]?.logits[0] ?? Number.NaN)), asked[index]?.second ?? '')
  }
  const { data } = await post('/v1/score', {
    model: RERANKER,
    text_1: pairs.map(({ first }) => first),
    text_2: pairs.map(({ second }) => second)
  })
  for (const [index, { logits }] of pairs.entries()) t.ok(near(data[index].score, sigmoid(logits[0] ?? Number.NaN)))
})

t.test('the official client asks for moderation', async t => {
  const { texts } = await reference(MODERATOR)
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })
  const input = texts.map(({ first }) => first)
  const { results } = await client.moderations.create({ input, model: MODERATOR })
  for (const [index, { logits }] of texts.entries()) {
    const [toxic = 0, threat = 0, hate = 0, selfHarm = 0, sexual = 0] = logits.map(sigmoid)
    const scores = results[index]?.category_scores
    const expected = { harassment: toxic, 'harassment/threatening': threat, hate, 'self-harm': selfHarm, sexual }
    for (const [name, score] of Object.entries(expected)) {
      t.ok(near(score, scores?.[name as keyof typeof scores]), `${name} of ${input[index]}`)
    }
    t.equal(
      results[index]?.flagged,
      [toxic, threat, hate, selfHarm, sexual].some(score => score >= 0.5)
    )
  }
})
