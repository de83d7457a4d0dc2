import { randomUUID } from 'node:crypto'
import { type FinishReason, formatRange, type Route } from '@resultity/interface'
import type { ModelTokenizer } from '@resultity/model'
import type { GenerationEvent, Usage } from '../generation/generation.ts'
import type { ServedDecoder } from '../served-models.ts'
import type { ChatChunk, ChatCompletion, ChatLogprobs, ChatUsage, MeshReport } from './chat-schema.ts'

type TokenEvent = Extract<GenerationEvent, { type: 'token' }>
type LogprobEntry = NonNullable<NonNullable<ChatLogprobs>['content']>[number]

const text = new TextEncoder()

/** Builds the objects of one chat completion, streamed or whole: the same id, time and model in all of them. */
export class ChatAnswer {
  readonly #head: { id: string; created: number; model: string; system_fingerprint: string }
  readonly #tokenizer: ModelTokenizer
  readonly #includeUsage: boolean
  readonly #logprobs: boolean

  constructor(model: ServedDecoder, options: { nowMs: number; includeUsage: boolean; logprobs: boolean }) {
    this.#head = {
      id: `chatcmpl-${randomUUID().replaceAll('-', '')}`,
      created: Math.floor(options.nowMs / 1000),
      model: model.id,
      system_fingerprint: `fp_${model.placeable.manifestSha256.slice(0, 12)}`
    }
    this.#tokenizer = model.tokenizer
    this.#includeUsage = options.includeUsage
    this.#logprobs = options.logprobs
  }

  get id(): string {
    return this.#head.id
  }

  /** The first chunk: who speaks. */
  roleChunk(): ChatChunk {
    return this.#chunk({ role: 'assistant', content: '' }, null, null)
  }

  /** A piece of the answer; undefined when there is nothing to say yet. */
  textChunk(piece: string, logprobs: ChatLogprobs): ChatChunk | undefined {
    if (piece === '' && logprobs === null) return undefined
    return this.#chunk({ content: piece }, null, logprobs)
  }

  finishChunk(finishReason: FinishReason, mesh: MeshReport): ChatChunk {
    return { ...this.#chunk({}, finishReason, null), mesh }
  }

  /** After the last choice, for clients that asked for it. */
  usageChunk(usage: Usage): ChatChunk | undefined {
    if (!this.#includeUsage) return undefined
    return { ...this.#head, object: 'chat.completion.chunk', choices: [], usage: toChatUsage(usage) }
  }

  /** What is reported with one token; null unless the client asked. */
  logprobsOf(event: TokenEvent): ChatLogprobs {
    if (!this.#logprobs) return null
    return { content: [this.#logprobEntry(event)], refusal: null }
  }

  completion(content: string, logprobs: readonly LogprobEntry[], end: EndOfAnswer): ChatCompletion {
    return {
      ...this.#head,
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content, refusal: null },
          finish_reason: end.finishReason,
          logprobs: this.#logprobs ? { content: [...logprobs], refusal: null } : null
        }
      ],
      usage: toChatUsage(end.usage),
      mesh: end.mesh
    }
  }

  #chunk(
    delta: ChatChunk['choices'][number]['delta'],
    finishReason: FinishReason | null,
    logprobs: ChatLogprobs
  ): ChatChunk {
    return {
      ...this.#head,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, finish_reason: finishReason, logprobs }],
      ...(this.#includeUsage ? { usage: null } : {})
    }
  }

  #logprobEntry(event: TokenEvent): LogprobEntry {
    return {
      ...this.#spelled(event.tokenId, event.logprob ?? 0),
      top_logprobs: (event.top ?? []).map(({ token, logprob }) => this.#spelled(token, logprob))
    }
  }

  #spelled(tokenId: number, logprob: number): { token: string; logprob: number; bytes: number[] } {
    const token = this.#tokenizer.decode([tokenId])
    return { token, logprob, bytes: [...text.encode(token)] }
  }
}

export interface EndOfAnswer {
  readonly finishReason: FinishReason
  readonly usage: Usage
  readonly mesh: MeshReport
}

/** The header `x-resultity-route`: `PEER[first,end) PEER[first,end)`. */
export function routeHeader(route: Route): string {
  return route.stages.map(stage => `${stage.peerId}${formatRange(stage.range)}`).join(' ')
}

function toChatUsage({ promptTokens, completionTokens }: Usage): ChatUsage {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0
    }
  }
}
