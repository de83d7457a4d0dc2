import { safeParse } from '@resultity/interface'
import { contentPartSchema, spokenText } from '@resultity/openai'
import { z } from 'zod'
import type { AnswerDialect, Choice } from './answer-dialect.ts'

const messageSchema = z.looseObject({ content: z.string().nullish(), refusal: z.string().nullish() })
const partsSchema = z.array(contentPartSchema)
const turnsSchema = z.array(z.looseObject({ role: z.string(), content: z.unknown() }))

/** Chat completions. */
export const chatDialect: AnswerDialect = {
  idPrefix: 'chatcmpl-',
  object: 'chat.completion',
  chunkObject: 'chat.completion.chunk',
  refuse: () => {},
  question: ({ messages }) =>
    (safeParse(turnsSchema, messages).data ?? []).map(({ role, content }) => `${role}: ${textIn(content)}`).join('\n'),
  textOf: choice => messageOf(choice).content ?? '',
  withText: (choice, content) => ({ ...choice, message: { ...messageOf(choice), content }, logprobs: null }),
  pieces,
  // "length" says best of all that there would have been more
  cutOff: index => ({ index, delta: {}, finish_reason: 'length', logprobs: null }),
  shows: piece => piece.finish_reason != null || Object.entries(deltaOf(piece)).some(shown),
  declines: choice =>
    choice.finish_reason === 'content_filter' || Boolean(messageOf(choice).refusal ?? deltaOf(choice).refusal)
}

function messageOf(choice: Choice): z.infer<typeof messageSchema> {
  return safeParse(messageSchema, choice.message).data ?? {}
}

function deltaOf(choice: Choice): Record<string, unknown> {
  return safeParse(messageSchema, choice.delta).data ?? {}
}

function shown([key, value]: readonly [string, unknown]): boolean {
  return key !== 'role' && value !== null && value !== undefined && value !== ''
}

function textIn(content: unknown): string {
  if (typeof content === 'string') return content
  const parts = safeParse(partsSchema, content).data ?? []
  return parts.map(part => spokenText(part) ?? '').join('')
}

/** Role, all that was said, and the end. */
function pieces(choice: Choice): Choice[] {
  const { message: _, finish_reason, stop_reason: stop, logprobs = null, ...rest } = choice
  const { role: _role, ...said } = messageOf(choice)
  const calls = said.tool_calls ?? said.function_call
  const content = said.content === null && calls !== undefined ? null : ''
  const shownFields = Object.fromEntries(Object.entries(said).filter(shown).map(indexed))
  return [
    { ...rest, delta: { role: 'assistant', content }, finish_reason: null, logprobs: null },
    { ...rest, delta: shownFields, finish_reason: null, logprobs },
    {
      ...rest,
      delta: {},
      finish_reason: finish_reason ?? 'stop',
      ...(stop === undefined ? {} : { stop_reason: stop }),
      logprobs: null
    }
  ]
}

/** In a stream, calls of tools say which they are. */
function indexed([key, value]: [string, unknown]): [string, unknown] {
  if (key !== 'tool_calls' || !Array.isArray(value)) return [key, value]
  return [key, value.map((call: object, index) => ({ index, ...call }))]
}
