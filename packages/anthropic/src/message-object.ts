import type { ChatPiece } from '@resultity/openai'
import type { Job, JobUsage } from '@resultity/store'
import type { ContentBlock, Message, MessageUsage, StopReason, StoredMessage } from './message-schema.ts'

/** How an answer ended. */
export type Ending = Pick<Message, 'stop_reason' | 'stop_sequence' | 'stop_details' | 'container'>

const UNENDED: Ending = { stop_reason: null, stop_sequence: null, stop_details: null, container: null }

/** A message before it has an answer. */
export function unanswered(job: Job, request: StoredMessage): Message {
  return build(job, request, [], UNENDED, { promptTokens: request.input_tokens, completionTokens: 0 })
}

/** A message with its answer. */
export function answered(
  job: Job,
  request: StoredMessage,
  answer: { readonly content: readonly ContentBlock[]; readonly end: ChatPiece; readonly usage: JobUsage | null }
): Message {
  const usage = answer.usage ?? { promptTokens: request.input_tokens, completionTokens: 0 }
  return build(job, request, answer.content, endingOf(answer.end), usage)
}

/** How the last piece of a chat completion's choice says that it ended. */
function endingOf({ finish_reason: reason, stop_reason: stop }: ChatPiece): Ending {
  const stopped = typeof stop === 'string' && reason === 'stop'
  return {
    ...UNENDED,
    stop_reason: stopped ? 'stop_sequence' : (stopReasons[reason ?? ''] ?? 'end_turn'),
    stop_sequence: stopped ? stop : null
  }
}

const stopReasons: Readonly<Record<string, StopReason>> = {
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'refusal'
}

/** What was found in a cache is no part of `input_tokens` here. */
export function toUsage({ promptTokens, cachedTokens = 0, completionTokens }: JobUsage): MessageUsage {
  return {
    input_tokens: promptTokens - cachedTokens,
    output_tokens: completionTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens
  }
}

function build(
  job: Job,
  request: StoredMessage,
  content: readonly ContentBlock[],
  ending: Ending,
  usage: JobUsage
): Message {
  return {
    id: job.id.replace(/^req_/, 'msg_'),
    type: 'message',
    role: 'assistant',
    model: request.model ?? '',
    content: [...content],
    ...ending,
    usage: { ...toUsage(usage), service_tier: 'standard' }
  }
}
