import { fileURLToPath } from 'node:url'
import { AIMessage, type AIMessageChunk, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages'
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

t.test('LangChain: an object by the call of a function', async t => {
  const schema = z.object({ capital: z.enum(['Paris', 'Rome']) })
  const method = 'functionCalling'
  const answer = await model.withStructuredOutput(schema, { name: 'capital', method }).invoke(first.question)
  t.match(answer, { capital: /^(Paris|Rome)$/ })
})

t.test('LangChain: calls of tools, whole and streamed, and what they answered', async t => {
  /** Small, for the model's context has room for little more than the words around it. */
  const parameters = { properties: { to: { enum: ['Paris', 'Rome'] } }, required: ['to'] }
  const go = { type: 'function', function: { name: 'go', parameters } }
  const calling = model.bindTools([go], { tool_choice: 'required', parallel_tool_calls: false })
  const whole = await calling.invoke('Go')
  const [call] = whole.tool_calls ?? []
  t.match(whole.tool_calls, [{ name: 'go', args: { to: /^(Paris|Rome)$/ }, id: String }])
  t.equal(whole.text, '')
  let streamed: AIMessageChunk | undefined
  for await (const chunk of await calling.stream('Go')) streamed = streamed?.concat(chunk) ?? chunk
  t.match(streamed?.tool_calls, [{ name: 'go', args: call?.args ?? {} }])
  const result = new ToolMessage({ content: 'gone', tool_call_id: call?.id ?? '' })
  const short = new ChatOpenAI({ ...common, model: MODEL, temperature: 0, maxTokens: 16 }).bindTools([go])
  t.ok(outputTokens(await short.invoke([new HumanMessage('Go'), whole, result])) > 0)
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
