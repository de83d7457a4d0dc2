import { fileURLToPath } from 'node:url'
import { AIMessage, HumanMessage, SystemMessage } from '@langchain/core/messages'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { swarmFor } from '@resultity/testkit'
import t from 'tap'
import { z } from 'zod'
import { untilIdle } from './mesh-jobs.ts'
import { MODEL, questions } from './questions.ts'

const encoder = fileURLToPath(new URL('../../../packages/model/test/fixtures/tiny-encoder', import.meta.url))
const [first, second] = await questions()

const { url } = await swarmFor(t, { nodes: 2, models: [MODEL, `file:${encoder}`] })
const common = { apiKey: 'none', maxRetries: 0, configuration: { baseURL: `${url}/v1` } }
const model = new ChatOpenAI({ ...common, model: MODEL, temperature: 0 })

t.test('LangChain: whole and streamed text, with usage', async t => {
  const whole = await model.invoke(first.question)
  t.equal(whole.text, first.answer)
  t.match(whole, {
    response_metadata: { finish_reason: 'stop', model_name: MODEL },
    usage_metadata: { total_tokens: Number }
  })
  let text = ''
  let tokens = 0
  for await (const chunk of await model.stream(first.question)) {
    text += chunk.text
    tokens += outputTokens(chunk)
  }
  t.equal(text, first.answer)
  t.ok(tokens > 1)
  t.equal(tokens, outputTokens(whole))
})

/** Its own types of messages say that this is never there. */
function outputTokens(message: object): number {
  const { usage_metadata: usage } = message as { usage_metadata?: { output_tokens: number } }
  return usage?.output_tokens ?? 0
}

t.test('LangChain: many turns', async t => {
  const turns = [
    new SystemMessage('Be brief.'),
    new HumanMessage(first.question),
    new AIMessage(first.answer),
    new HumanMessage(second.question)
  ]
  t.ok((await model.invoke(turns)).text.length > 0)
})

t.test('LangChain: an object that keeps to a schema', async t => {
  const schema = z.object({ capital: z.enum(['Paris', 'Rome']), sure: z.boolean() })
  const answer = await model.withStructuredOutput(schema, { name: 'capital' }).invoke(first.question)
  t.match(answer, { capital: /^(Paris|Rome)$/, sure: Boolean })
})

t.test('LangChain: embeddings', async t => {
  const embeddings = new OpenAIEmbeddings({ ...common, model: 'tiny-encoder' })
  const vectors = await embeddings.embedDocuments(['one text', 'and another'])
  t.equal(vectors.length, 2)
  t.same(await embeddings.embedQuery('one text'), vectors[0])
})

t.test('LangChain: errors say what is wrong', async t => {
  await t.rejects(model.invoke('word '.repeat(9000)), { status: 400, code: 'context_length_exceeded' })
})

t.test('LangChain: who leaves frees everything', async () => {
  const long = new ChatOpenAI({ ...common, model: MODEL, maxTokens: 400, modelKwargs: { ignore_eos: true } })
  for await (const chunk of await long.stream(first.question)) if (chunk.text !== '') break
  await untilIdle(url)
})
