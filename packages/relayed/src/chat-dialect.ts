import { parseInput } from '@resultity/api-kit'
import { CHAT_ENDPOINT, invalidRequest } from '@resultity/interface'
import { chatRequestSchema, partText, refuseUnserved, toTokenUsage } from '@resultity/openai'
import type { JsonValue } from '@resultity/store'
import { z } from 'zod'
import { chatAnswerSchema } from './chat-answer.ts'
import { ChatGatherer, type ChatWriter, logprobsOf } from './chat-gatherer.ts'
import { readAnswer } from './not-an-answer.ts'
import { passedFields, present } from './passed-fields.ts'
import type { AnswerFacts, RelayDialect, RelayedAnswer } from './relay-dialect.ts'
import { relayedSchemaOf, reportOf } from './relayed-schema.ts'
import { relayedView } from './relayed-view.ts'
import { longSeedRefused } from './seeds.ts'
import { estimatedTokens, jobUsageOf } from './told-usage.ts'

export type ChatRequest = z.infer<typeof chatRequestSchema>

/** Tokens of an answer that nobody has set a limit to, for what is reserved of a key's. */
const ANSWER_TOKENS = 4096

/** Members of a message; what else one has stays here. */
const MESSAGE_FIELDS: readonly string[] = [
  'role',
  'content',
  'refusal',
  'reasoning_content',
  'reasoning',
  'tool_calls',
  'function_call',
  'tool_call_id',
  'name'
]

/** Chat completions. */
export const chatRelay: RelayDialect<ChatRequest> = {
  endpoint: CHAT_ENDPOINT,
  answerSchema: relayedSchemaOf('RelayedChatCompletion', {
    object: z.literal('chat.completion'),
    choices: z.array(z.looseObject({ index: z.int(), message: z.looseObject({}) }))
  }),
  eventSchema: relayedSchemaOf('RelayedChatCompletionChunk', {
    object: z.literal('chat.completion.chunk'),
    choices: z.array(z.looseObject({ index: z.int(), delta: z.looseObject({}) }))
  }),
  parse: body => {
    const request = refuseUnserved('chat', parseInput(chatRequestSchema, body))
    longSeedRefused(request.seed)
    for (const [at, { content }] of request.messages.entries()) {
      if (!Array.isArray(content)) continue
      for (const [part, one] of content.entries()) partText(one, `messages[${at}].content[${part}]`)
    }
    if (request.logprobs !== true && (request.top_logprobs ?? 0) > 0) {
      throw invalidRequest('top_logprobs', 'top_logprobs is set and logprobs is not', 'Set logprobs to true as well.')
    }
    return request
  },
  passedOn: request => {
    const messages = request.messages.map(message =>
      Object.fromEntries(Object.entries(message).filter(([name]) => MESSAGE_FIELDS.includes(name)))
    )
    return passedFields({ ...request, messages }, chatRequestSchema.shape)
  },
  tokens: (request, contextLength) => {
    const prompt = estimatedTokens(Buffer.byteLength(JSON.stringify([request.messages, request.tools ?? []])))
    const asked = request.max_completion_tokens ?? request.max_tokens ?? ANSWER_TOKENS
    return { prompt, answerMax: Math.min(asked, contextLength ?? asked) * (request.n ?? 1) }
  },
  whole: (answer, _request, facts) => {
    const { choices, usage } = readAnswer(chatAnswerSchema, answer, 'chat completion')
    let bytes = 0
    const written = choices.map(({ index, message, finish_reason, stop_reason, logprobs }, at): JsonValue => {
      const { content, refusal, tool_calls, function_call } = message
      const reasoning = message.reasoning_content ?? message.reasoning
      bytes += Buffer.byteLength(JSON.stringify(message))
      return {
        index: index ?? at,
        message: {
          role: 'assistant',
          content: content ?? null,
          refusal: refusal ?? null,
          ...(reasoning == null ? {} : { reasoning_content: reasoning }),
          ...(tool_calls == null || tool_calls.length === 0
            ? {}
            : {
                tool_calls: tool_calls.map(call => ({ id: call.id ?? '', type: 'function', function: call.function }))
              }),
          ...(function_call == null ? {} : { function_call: present(function_call) as JsonValue })
        },
        finish_reason: finish_reason ?? 'stop',
        ...(stop_reason == null ? {} : { stop_reason: String(stop_reason) }),
        logprobs: logprobs == null ? null : logprobsOf(logprobs.content as JsonValue[] | null | undefined)
      }
    })
    return write(written, usage ?? undefined, bytes, facts)
  },
  gather: () => new ChatGatherer(write),
  view: (job, request, model) =>
    relayedView(
      { ...headOf({ job, model }), object: 'chat.completion.chunk' },
      request.stream_options?.include_usage === true
    )
}

const write: ChatWriter = (choices, told, bytes, facts): RelayedAnswer => {
  const estimate = { promptTokens: facts.promptTokens, completionTokens: estimatedTokens(bytes) }
  const usage = jobUsageOf(told, estimate)
  const body = {
    ...headOf(facts),
    object: 'chat.completion',
    choices: [...choices],
    usage: toTokenUsage(usage),
    mesh: reportOf(facts)
  }
  return { body: body as JsonValue, usage }
}

function headOf({ job, model }: Pick<AnswerFacts, 'job' | 'model'>) {
  return { id: `chatcmpl-${job.id.replace(/^req_/, '')}`, created: Math.floor(job.createdAtMs / 1000), model }
}
