import { fileURLToPath } from 'node:url'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { swarmFor } from '@resultity/testkit'
import {
  APICallError,
  embedMany,
  generateText,
  isStepCount,
  jsonSchema,
  type LanguageModel,
  Output,
  streamText,
  tool
} from 'ai'
import t from 'tap'
import { z } from 'zod'
import { untilIdle } from './mesh-jobs.ts'
import { failureOf, MODEL, questions } from './questions.ts'

const encoder = fileURLToPath(new URL('../../../packages/model/test/fixtures/tiny-encoder', import.meta.url))
const [first, second] = await questions()

const { url } = await swarmFor(t, { nodes: 2, models: [MODEL, `file:${encoder}`] })
const baseURL = `${url}/v1`
const openai = createOpenAI({ baseURL, apiKey: 'none' })
const compatible = createOpenAICompatible({
  name: 'mesh',
  baseURL,
  includeUsage: true,
  supportsStructuredOutputs: true
})
const providers: readonly { readonly id: string; readonly model: LanguageModel }[] = [
  { id: '@ai-sdk/openai', model: openai.chat(MODEL) },
  { id: '@ai-sdk/openai-compatible', model: compatible(MODEL) }
]
/** Small, for the model's context has room for little more than the words around it. */
const to = { properties: { to: { enum: ['Paris', 'Rome'] } }, required: ['to'] }
const go = tool({ inputSchema: jsonSchema<{ to: string }>(to), execute: async ({ to }) => `in ${to}` })
const called = [{ toolName: 'go', input: { to: /^(?:Paris|Rome)$/ } }]
const still = { temperature: 0, maxRetries: 0 }

for (const { id, model } of providers) {
  t.test(`${id}: whole and streamed text, with usage`, async t => {
    const whole = await generateText({ model, prompt: first.question, ...still })
    t.match(whole, { text: first.answer, finishReason: 'stop', usage: { outputTokens: Number } })
    const streamed = streamText({ model, prompt: first.question, ...still })
    let text = ''
    for await (const piece of streamed.textStream) text += piece
    t.equal(text, first.answer)
    t.equal(await streamed.finishReason, 'stop')
    t.equal((await streamed.usage).outputTokens, whole.usage.outputTokens)
  })

  t.test(`${id}: many turns`, async t => {
    const { text } = await generateText({
      model,
      ...still,
      maxOutputTokens: 16,
      messages: [
        { role: 'user', content: first.question },
        { role: 'assistant', content: first.answer },
        { role: 'user', content: [{ type: 'text', text: second.question }] }
      ]
    })
    t.ok(text.length > 0)
  })

  t.test(`${id}: an object that keeps to a schema`, async t => {
    const schema = z.object({ capital: z.enum(['Paris', 'Rome']), sure: z.boolean() })
    const output = Output.object({ schema })
    const whole = await generateText({ model, output, prompt: first.question, ...still })
    t.match(whole.output, { capital: /^(Paris|Rome)$/, sure: Boolean })
    const streamed = streamText({ model, output, prompt: first.question, ...still })
    t.same(await streamed.output, whole.output)
  })

  t.test(`${id}: calls of tools, whole, streamed and over several steps`, async t => {
    const asked = { model, tools: { go }, toolChoice: 'required', prompt: 'Go', ...still } as const
    const whole = await generateText(asked)
    t.match(whole, { text: '', finishReason: 'tool-calls', toolCalls: called })
    t.match(whole.toolResults, [{ output: /^in (?:Paris|Rome)$/ }])
    const streamed = streamText(asked)
    const types: string[] = []
    let json = ''
    for await (const part of streamed.fullStream) {
      types.push(part.type)
      if (part.type === 'tool-input-delta') json += part.delta
    }
    t.same(JSON.parse(json), whole.toolCalls[0]?.input)
    t.notOk(types.includes('text-start'), 'no empty text before the call')
    t.match(await streamed.toolCalls, called)
    const { steps } = await generateText({ ...asked, stopWhen: isStepCount(2) })
    t.equal(steps.length, 2)
    t.ok((steps[1]?.usage.inputTokens ?? 0) > (steps[0]?.usage.inputTokens ?? 0), 'the model is told of the result')
  })

  t.test(`${id}: errors say what is wrong, and what is in vain is not tried again`, async t => {
    const error = await failureOf(generateText({ model, prompt: 'word '.repeat(9000), temperature: 0 }))
    t.ok(APICallError.isInstance(error), 'asked once: a second time would say so')
    t.match(error, { statusCode: 400, isRetryable: false, message: /characters|tokens/ })
  })

  t.test(`${id}: who leaves frees everything`, async () => {
    const leaving = new AbortController()
    const { fullStream } = streamText({
      model,
      prompt: first.question,
      ...still,
      abortSignal: leaving.signal,
      maxOutputTokens: 400,
      providerOptions: { mesh: { ignore_eos: true } }
    })
    for await (const part of fullStream) if (part.type === 'text-delta') leaving.abort()
    await untilIdle(url)
  })
}

t.test('both embed', async t => {
  const values = ['one text', 'and another']
  const theirs = await embedMany({ model: openai.embedding('tiny-encoder'), values, maxRetries: 0 })
  const ours = await embedMany({ model: compatible.embeddingModel('tiny-encoder'), values, maxRetries: 0 })
  t.equal(theirs.embeddings.length, 2)
  t.same(theirs.embeddings, ours.embeddings)
})
