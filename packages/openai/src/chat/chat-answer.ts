import type { GenerationEvent, Usage } from '@resultity/generation'
import { formatRange, type Route } from '@resultity/interface'
import type { ServedDecoder } from '@resultity/placement'
import type { Job } from '@resultity/store'
import type { ModelTokenizer } from '@resultity/tokenizer'
import { toTokenUsage } from '../answer/token-usage.ts'
import type { ChoiceFinish } from '../tools/choice-text.ts'
import type { FunctionCallAnswer, ToolCallAnswer } from '../tools/tool-schema.ts'
import type { ChatChunk, ChatCompletion, ChatLogprobs, MeshReport } from './chat-schema.ts'

type TokenEvent = Extract<GenerationEvent, { type: 'token' }>
export type LogprobEntry = NonNullable<NonNullable<ChatLogprobs>['content']>[number]

/** A choice as a chunk carries it: what the job's log keeps of a chat completion. */
export type ChatChunkChoice = ChatChunk['choices'][number]

/** One finished choice. */
export interface ChatChoice {
  /** Null where the answer is calls and nothing else. */
  readonly content: string | null
  /** What it reasoned before; undefined where there is none, or none is wanted. */
  readonly reasoning: string | undefined
  readonly toolCalls: readonly ToolCallAnswer[]
  /** Instead of them, for a client that speaks of `functions`. */
  readonly functionCall: FunctionCallAnswer | undefined
  readonly logprobs: readonly LogprobEntry[]
  readonly finishReason: ChoiceFinish
  /** The stop text that ended it, where one did. */
  readonly stop: string | undefined
}

const text = new TextEncoder()

/** Builds the objects of one chat completion, streamed or whole: the same id, time and model in all of them. */
export class ChatAnswer {
  readonly #head: { id: string; created: number; model: string; system_fingerprint: string }
  readonly #includeUsage: boolean

  constructor(model: ServedDecoder, job: Job, options: { includeUsage: boolean }) {
    this.#head = {
      id: `chatcmpl-${job.id.replace(/^req_/, '')}`,
      created: Math.floor(job.createdAtMs / 1000),
      model: model.id,
      system_fingerprint: fingerprint(model)
    }
    this.#includeUsage = options.includeUsage
  }

  /**
   * The first chunk of a choice: who speaks. Its content is null where calls come first: clients make a text of an empty one.
   */
  roleChunk(index: number, content: '' | null): ChatChunk {
    return this.chunk({ index, delta: { role: 'assistant', content }, finish_reason: null, logprobs: null })
  }

  chunk(choice: ChatChunkChoice): ChatChunk {
    return {
      ...this.#head,
      object: 'chat.completion.chunk',
      choices: [choice],
      ...(this.#includeUsage ? { usage: null } : {})
    }
  }

  /** After the last choice, for clients that asked for it. */
  usageChunk(usage: Usage): ChatChunk | undefined {
    if (!this.#includeUsage) return undefined
    return { ...this.#head, object: 'chat.completion.chunk', choices: [], usage: toTokenUsage(usage) }
  }

  completion(choices: readonly ChatChoice[], withLogprobs: boolean, usage: Usage, mesh: MeshReport): ChatCompletion {
    return {
      ...this.#head,
      object: 'chat.completion',
      choices: choices.map(({ content, reasoning, toolCalls, functionCall, logprobs, finishReason, stop }, index) => ({
        index,
        message: {
          role: 'assistant',
          content,
          refusal: null,
          ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
          ...(toolCalls.length === 0 ? {} : { tool_calls: [...toolCalls] }),
          ...(functionCall === undefined ? {} : { function_call: functionCall })
        },
        finish_reason: finishReason,
        ...(stop === undefined ? {} : { stop_reason: stop }),
        logprobs: withLogprobs ? { content: [...logprobs], refusal: null } : null
      })),
      usage: toTokenUsage(usage),
      mesh
    }
  }
}

/** What a log entry says of a token's probability and the alternatives to it. */
export function logprobEntry(tokenizer: ModelTokenizer, event: TokenEvent): LogprobEntry {
  const spelled = (tokenId: number, logprob: number) => {
    const token = tokenizer.decode([tokenId])
    return { token, logprob, bytes: [...text.encode(token)] }
  }
  return {
    ...spelled(event.tokenId, event.logprob ?? 0),
    top_logprobs: (event.top ?? []).map(({ token, logprob }) => spelled(token, logprob))
  }
}

/** Changes whenever the same seed may give another answer. */
export function fingerprint(model: ServedDecoder): string {
  return `fp_${model.placeable.manifestSha256.slice(0, 12)}`
}

/** The header `x-resultity-route`: `PEER[first,end) PEER[first,end)`. */
export function routeHeader(route: Route): string {
  return route.stages.map(stage => `${stage.peerId}${formatRange(stage.range)}`).join(' ')
}
