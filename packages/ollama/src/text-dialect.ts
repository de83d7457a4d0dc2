import type { ApiRoute } from '@resultity/api-kit'
import { invalidRequest } from '@resultity/interface'
import { IGNORED_FIELDS } from '@resultity/openai'
import { z } from 'zod'
import { goesOn, refuseImages, toChatTurns } from './chat-turns.ts'
import { ollamaErrors } from './ollama-errors.ts'
import { optionParam, present, samplingFields, tokenLimit } from './option-fields.ts'
import type { Said } from './said.ts'
import {
  type ChatBody,
  chatBodySchema,
  chatLineSchema,
  type GenerateBody,
  generateBodySchema,
  generateLineSchema,
  ollamaErrorSchema
} from './text-schema.ts'

/** What a request is run as. */
export interface Task {
  readonly by: 'chat' | 'completion'
  readonly body: Readonly<Record<string, unknown>>
}

/** What the two routes that generate text do not have in common. */
export interface TextDialect<Body> {
  readonly api: ApiRoute
  readonly schema: z.ZodType<Body>
  /**
   * Undefined: the client only wants to know that the model is there.
   *
   * @param contextLength tokens of prompt and answer together
   * @throws MeshError `invalid_request` naming what is not served
   */
  taskOf(body: Body, contextLength: number): Task | undefined
  /** How the body calls what an error of its task calls `param`. */
  paramOf(param: string): string
  /** The part of a line, or of a whole answer, that has the text. */
  contentOf(said: Said): Readonly<Record<string, unknown>>
}

const headers = {
  'x-resultity-route': 'Who computed the answer: `PEER[first,end) PEER[first,end) …`.',
  [IGNORED_FIELDS]: 'Fields of the request that the model has no use for: `think`.',
  'x-resultity-relaxed': 'What the answer is not held to of its schema, by places in it.'
}

const chatRoute: ApiRoute = {
  method: 'POST',
  path: '/api/chat',
  id: 'ollamaChat',
  summary: 'Answers a conversation as Ollama does: as lines of JSON, or whole.',
  body: chatBodySchema,
  answers: {
    200: {
      description: 'The answer. Streamed, which is the default: lines, the last of which has `done`.',
      json: chatLineSchema,
      lines: z.union([chatLineSchema, ollamaErrorSchema]),
      headers
    }
  },
  errorFormat: ollamaErrors
}

const generateRoute: ApiRoute = {
  ...chatRoute,
  path: '/api/generate',
  id: 'ollamaGenerate',
  summary: 'Goes on with a prompt as Ollama does: as lines of JSON, or whole.',
  body: generateBodySchema,
  answers: {
    200: {
      ...chatRoute.answers[200],
      json: generateLineSchema,
      lines: z.union([generateLineSchema, ollamaErrorSchema])
    }
  }
}

type Common = Pick<ChatBody & GenerateBody, 'model' | 'stream' | 'format' | 'options' | 'think' | 'store' | 'mesh'>

function commonFields({ model, stream, format, options, store, mesh }: Common): Readonly<Record<string, unknown>> {
  return present({
    model,
    stream: stream !== false,
    store,
    mesh,
    ...samplingFields(options),
    response_format: formatOf(format)
  })
}

function formatOf(format: Common['format']): unknown {
  if (format === undefined || format === null || format === '') return undefined
  if (format === 'json') return { type: 'json_object' }
  return { type: 'json_schema', json_schema: { name: 'answer', schema: format } }
}

function thinkingFields({ think }: Common): Readonly<Record<string, unknown>> {
  if (think === undefined || think === null) return {}
  if (think === false) return { reasoning_effort: 'none', include_reasoning: false }
  return { reasoning_effort: think === true ? 'medium' : think }
}

function chatFields(body: ChatBody | GenerateBody): Readonly<Record<string, unknown>> {
  const { logprobs, top_logprobs, options } = body
  return present({
    ...commonFields(body),
    ...thinkingFields(body),
    max_completion_tokens: tokenLimit(options),
    logprobs,
    top_logprobs
  })
}

function paramOf(param: string): string {
  if (param === 'reasoning_effort') return 'think'
  return optionParam(param) ?? param.replace(/^response_format(?:\.json_schema(?:\.schema)?)?/, 'format')
}

function thoughtsOf(thinking: string) {
  return thinking === '' ? {} : { thinking }
}

/** `POST /api/chat`. */
export const chatDialect: TextDialect<ChatBody> = {
  api: chatRoute,
  schema: chatBodySchema,
  taskOf: body => {
    const { messages, tools } = body
    if (messages === undefined || messages === null || messages.length === 0) return undefined
    const open = goesOn(messages) ? { continue_final_message: true, add_generation_prompt: false } : {}
    return {
      by: 'chat',
      body: { ...chatFields(body), ...present({ tools }), messages: toChatTurns(messages), ...open }
    }
  },
  paramOf: param => (param === 'continue_final_message' ? 'messages' : paramOf(param)),
  contentOf: ({ content, thinking, calls }) => ({
    message: {
      role: 'assistant',
      content,
      ...thoughtsOf(thinking),
      ...(calls.length === 0 ? {} : { tool_calls: calls })
    }
  })
}

/** `POST /api/generate`. */
export const generateDialect: TextDialect<GenerateBody> = {
  api: generateRoute,
  schema: generateBodySchema,
  taskOf: (body, contextLength) => {
    refuseUnserved(body)
    const { prompt, system, raw } = body
    if (prompt === undefined || prompt === null || prompt === '') return undefined
    if (raw === true) return rawTask(body, contextLength)
    const first = system === undefined || system === null || system === '' ? [] : [{ role: 'system', content: system }]
    return { by: 'chat', body: { ...chatFields(body), messages: [...first, { role: 'user', content: prompt }] } }
  },
  paramOf: param => (/^messages\b/.test(param) ? 'prompt' : paramOf(param)),
  contentOf: ({ content, thinking }) => ({ response: content, ...thoughtsOf(thinking) })
}

/** The prompt as it is. */
function rawTask(body: GenerateBody, contextLength: number): Task {
  const { prompt, system, logprobs, think } = body
  if (system !== undefined && system !== null && system !== '') {
    throw invalidRequest('system', 'a raw prompt takes no system text', 'Write it into the prompt.')
  }
  if (logprobs === true) throw invalidRequest('logprobs', 'a raw prompt gives no logprobs', 'Use /v1/completions.')
  if (think !== undefined && think !== null && think !== false) {
    throw invalidRequest('think', 'a raw prompt is gone on with as it is', 'Write what has the model think into it.')
  }
  return {
    by: 'completion',
    body: { ...commonFields(body), prompt, max_tokens: tokenLimit(body.options) ?? contextLength }
  }
}

function refuseUnserved({ suffix, template, context, images }: GenerateBody): void {
  refuseImages(images, 'images')
  if (suffix !== undefined && suffix !== null && suffix !== '') {
    throw invalidRequest('suffix', 'no model here fills in the middle', 'Leave suffix out.')
  }
  if (template !== undefined && template !== null && template !== '') {
    const instead = 'Write the prompt as your template has it, and send it with raw: true.'
    throw invalidRequest('template', 'prompts are made by the chat template of the model', instead)
  }
  if ((context ?? []).length > 0) {
    throw invalidRequest(
      'context',
      'what was said before is not kept as token ids',
      'Send it to /api/chat as messages.'
    )
  }
}
