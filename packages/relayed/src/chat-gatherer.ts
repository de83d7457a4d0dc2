import type { JsonValue } from '@resultity/store'
import { type ChatDelta, type ChatEventChoice, chatEventSchema } from './chat-answer.ts'
import { notAnAnswer, readAnswer } from './not-an-answer.ts'
import { present } from './passed-fields.ts'
import type { AnswerFacts, AnswerGatherer, RelayedAnswer } from './relay-dialect.ts'
import type { ToldUsage } from './told-usage.ts'

/** A call in the making. */
interface GatheredCall {
  id: string
  name: string
  arguments: string
}

/** A choice in the making. */
interface GatheredChoice {
  content: string | null
  refusal: string
  reasoning: string
  readonly calls: Map<number, GatheredCall>
  functionCall: GatheredCall | undefined
  readonly logprobs: JsonValue[]
  finish: ChatEventChoice | undefined
}

/** Makes the object of a whole chat completion. */
export type ChatWriter = (
  choices: readonly JsonValue[],
  told: ToldUsage | undefined,
  bytes: number,
  facts: AnswerFacts
) => RelayedAnswer

/** Gathers the events of a chat completion: they are told on, and are the whole answer in the end. */
export class ChatGatherer implements AnswerGatherer {
  readonly #choices = new Map<number, GatheredChoice>()
  readonly #write: ChatWriter
  #usage: ToldUsage | undefined
  #bytes = 0

  constructor(write: ChatWriter) {
    this.#write = write
  }

  take(event: unknown): readonly JsonValue[] {
    const { choices, usage } = readAnswer(chatEventSchema, event, 'chat completion')
    this.#usage = usage ?? this.#usage
    return (choices ?? []).map(choice => this.#piece(choice))
  }

  whole(facts: AnswerFacts): RelayedAnswer {
    if (this.#choices.size === 0) throw notAnAnswer('chat completion', 'it has no choices')
    const choices = [...this.#choices]
      .toSorted(([a], [b]) => a - b)
      .map(([index, choice]) => wholeChoice(index, choice))
    return this.#write(choices, this.#usage, this.#bytes, facts)
  }

  #piece(choice: ChatEventChoice): JsonValue {
    const { index, delta, finish_reason, stop_reason, logprobs } = choice
    const first = !this.#choices.has(index)
    const gathered = this.#choices.get(index) ?? emptyChoice()
    this.#choices.set(index, gathered)
    if (delta != null) this.#bytes += add(gathered, delta)
    for (const entry of logprobs?.content ?? []) gathered.logprobs.push(entry as JsonValue)
    if (finish_reason != null) gathered.finish = choice
    return {
      index,
      // clients need to hear who speaks, and not every server says so
      delta: deltaOf({ ...delta, role: first ? 'assistant' : delta?.role }),
      finish_reason: finish_reason ?? null,
      ...(stop_reason == null ? {} : { stop_reason: String(stop_reason) }),
      logprobs: logprobs == null ? null : logprobsOf(logprobs.content as JsonValue[] | null | undefined)
    }
  }
}

/** What a choice is told to have thought of its tokens. */
export function logprobsOf(content: readonly JsonValue[] | null | undefined): JsonValue {
  return { content: content == null ? null : [...content], refusal: null }
}

function emptyChoice(): GatheredChoice {
  return {
    content: null,
    refusal: '',
    reasoning: '',
    calls: new Map(),
    functionCall: undefined,
    logprobs: [],
    finish: undefined
  }
}

/** @returns bytes of what it says */
function add(choice: GatheredChoice, delta: ChatDelta): number {
  const { content, refusal, tool_calls, function_call } = delta
  const reasoning = delta.reasoning_content ?? delta.reasoning ?? ''
  if (content != null) choice.content = (choice.content ?? '') + content
  choice.refusal += refusal ?? ''
  choice.reasoning += reasoning
  let bytes = Buffer.byteLength(`${content ?? ''}${refusal ?? ''}${reasoning}`)
  for (const { index, id, function: called } of tool_calls ?? []) {
    const call = choice.calls.get(index) ?? { id: '', name: '', arguments: '' }
    choice.calls.set(index, call)
    call.id ||= id ?? ''
    bytes += addCall(call, called)
  }
  if (function_call != null) {
    choice.functionCall ??= { id: '', name: '', arguments: '' }
    bytes += addCall(choice.functionCall, function_call)
  }
  return bytes
}

function addCall(call: GatheredCall, called: ChatDelta['function_call']): number {
  const { name, arguments: args } = called ?? {}
  call.name += name ?? ''
  call.arguments += args ?? ''
  return Buffer.byteLength(`${name ?? ''}${args ?? ''}`)
}

/** A delta as clients know it: nothing in it is null but a content that is. */
function deltaOf({ role, tool_calls, function_call, reasoning, ...said }: ChatDelta): Record<string, JsonValue> {
  const reasoned = said.reasoning_content ?? reasoning
  return {
    ...(role == null ? {} : { role: 'assistant' }),
    ...(said.content === undefined ? {} : { content: said.content }),
    ...(said.refusal == null ? {} : { refusal: said.refusal }),
    ...(reasoned == null ? {} : { reasoning_content: reasoned }),
    ...(tool_calls == null ? {} : { tool_calls: tool_calls.map(callOf) }),
    ...(function_call == null ? {} : { function_call: { arguments: '', ...present(function_call) } })
  }
}

function callOf({
  function: called,
  ...call
}: NonNullable<ChatDelta['tool_calls']>[number]): Record<string, JsonValue> {
  const { index, id, type } = call
  return {
    index,
    ...(id == null ? {} : { id }),
    ...(type == null ? {} : { type: 'function' }),
    ...(called == null ? {} : { function: { arguments: '', ...present(called) } })
  }
}

function wholeChoice(index: number, choice: GatheredChoice): JsonValue {
  const { content, refusal, reasoning, calls, functionCall, logprobs, finish } = choice
  const toolCalls = [...calls]
    .toSorted(([a], [b]) => a - b)
    .map(([, { id, name, arguments: args }]) => ({ id, type: 'function', function: { name, arguments: args } }))
  return {
    index,
    message: {
      role: 'assistant',
      content,
      refusal: refusal === '' ? null : refusal,
      ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
      ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
      ...(functionCall === undefined
        ? {}
        : { function_call: { name: functionCall.name, arguments: functionCall.arguments } })
    },
    finish_reason: finish?.finish_reason ?? 'stop',
    ...(finish?.stop_reason == null ? {} : { stop_reason: String(finish.stop_reason) }),
    logprobs: logprobs.length === 0 ? null : logprobsOf(logprobs)
  }
}
