import { jobErrorReply } from '@resultity/api-kit'
import { jobBodyOf } from '@resultity/jobs'
import { isFinal, type Job, type JobUsage } from '@resultity/store'
import { conversationOf } from './response-conversation.ts'
import { responseIdOf } from './response-ids.ts'
import { incompleteReason } from './response-output.ts'
import { servedTools } from './response-request.ts'
import {
  type OutputItem,
  type ResponseObject,
  type ResponseRequest,
  type ResponseStatus,
  type ResponseTool,
  type ResponseUsage,
  responseSchema,
  storedResponseSchema
} from './response-schema.ts'

/** How far a response is. */
interface Progress {
  readonly status: ResponseStatus
  readonly output?: readonly OutputItem[]
  readonly error?: ResponseObject['error']
  readonly incompleteDetails?: ResponseObject['incomplete_details']
  readonly usage?: JobUsage | null
  readonly completedAt?: number
}

/** Codes that OpenAI's schema lets a response fail with, by ours; `server_error` for the rest. */
const errorCodes: Readonly<Record<string, string>> = {
  resource_exhausted: 'rate_limit_exceeded',
  rate_limited: 'rate_limit_exceeded',
  invalid_request: 'invalid_prompt',
  context_length_exceeded: 'invalid_prompt'
}

/** What was asked for. @throws ZodError when another version of this software stored it */
export function requestOf(job: Job): ResponseRequest {
  return storedResponseSchema.parse(jobBodyOf(job).request)
}

/** A response as it is now. */
export function responseOf(job: Job): ResponseObject {
  const { result } = job
  if (job.state === 'succeeded' && result !== null) return responseSchema.parse(result.body)
  const request = requestOf(job)
  if (!isFinal(job.state)) return unfinished(job, request, job.state === 'queued' ? 'queued' : 'in_progress')
  if (job.state === 'cancelled') return build(job, request, { status: 'cancelled' })
  const failure = jobErrorReply(job)?.body.error
  const error = {
    code: errorCodes[failure?.code ?? ''] ?? 'server_error',
    message: failure?.message ?? 'The response was not made.'
  }
  return build(job, request, { status: 'failed', error })
}

/** A response before it has an answer. */
export function unfinished(job: Job, request: ResponseRequest, status: 'queued' | 'in_progress'): ResponseObject {
  return build(job, request, { status })
}

/** A response with its answer. */
export function finished(
  job: Job,
  request: ResponseRequest,
  answer: {
    readonly output: readonly OutputItem[]
    readonly finishReason: string
    readonly usage: JobUsage | null
    readonly nowMs: number
  }
): ResponseObject {
  const reason = incompleteReason(answer.finishReason)
  return build(job, request, {
    status: reason === null ? 'completed' : 'incomplete',
    output: answer.output,
    incompleteDetails: reason === null ? null : { reason },
    usage: answer.usage,
    ...(reason === null ? { completedAt: seconds(answer.nowMs) } : {})
  })
}

/** The finish reason that a finished response stands for. */
export function finishReasonOf({ incomplete_details: details }: ResponseObject): string {
  if (details === null) return 'stop'
  return details.reason === 'content_filter' ? 'content_filter' : 'length'
}

/** Every field that OpenAI's or Open Responses' schema requires; the former lets `user` and `usage` not be null. */
function build(job: Job, request: ResponseRequest, progress: Progress): ResponseObject {
  const { status, output = [], error = null, incompleteDetails = null, usage, completedAt = null } = progress
  const conversation = conversationOf(request)
  return {
    id: responseIdOf(job),
    object: 'response',
    created_at: seconds(job.createdAtMs),
    completed_at: completedAt,
    status,
    background: request.background === true,
    error,
    incomplete_details: incompleteDetails,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    max_tool_calls: null,
    model: request.model ?? '',
    output: [...output],
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: request.previous_response_id ?? null,
    ...(conversation === undefined ? {} : { conversation: { id: conversation } }),
    reasoning: { effort: request.reasoning?.effort ?? null, summary: null },
    store: request.store ?? true,
    temperature: request.temperature ?? 1,
    top_p: request.top_p ?? 1,
    presence_penalty: request.presence_penalty ?? 0,
    frequency_penalty: request.frequency_penalty ?? 0,
    top_logprobs: request.top_logprobs ?? 0,
    text: { format: request.text?.format ?? { type: 'text' }, verbosity: request.text?.verbosity ?? 'medium' },
    tool_choice: request.tool_choice ?? 'auto',
    tools: servedTools(request).map(toToolView),
    truncation: 'disabled',
    usage: toResponseUsage(usage),
    metadata: request.metadata ?? {},
    service_tier: 'default',
    safety_identifier: request.safety_identifier ?? null,
    prompt_cache_key: request.prompt_cache_key ?? null,
    user: request.user ?? ''
  }
}

function toToolView(tool: ResponseTool): ResponseTool {
  if (tool.type === 'custom') return { ...tool, format: tool.format ?? { type: 'text' } }
  const { description = null, parameters = null, strict } = tool
  return { ...tool, description, parameters, strict: strict ?? false }
}

const NO_USAGE: JobUsage = { promptTokens: 0, completionTokens: 0 }

/** Zero before there is an answer: OpenAI's schema lets it not be null. */
function toResponseUsage(usage: JobUsage | null | undefined): ResponseUsage {
  const { promptTokens, cachedTokens = 0, completionTokens, reasoningTokens = 0 } = usage ?? NO_USAGE
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens, cache_write_tokens: 0 },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: promptTokens + completionTokens
  }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}
