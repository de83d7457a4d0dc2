import type { GenerationRequest } from '@resultity/generation'
import { invalidRequest } from '@resultity/interface'
import { z } from 'zod'

const STOP_CHARACTERS_MAX = 512
const STOPS_MAX = 16
const STOP_TOKENS_MAX = 16

const stopString = z.string().min(1).max(STOP_CHARACTERS_MAX)

/** What ends an answer: OpenAI's `stop`, and what vLLM added. */
export const endingFields = {
  /** Texts that end an answer; OpenAI takes four of them. */
  stop: z
    .union([stopString, z.array(stopString).max(STOPS_MAX), z.null()], {
      error: `stop is a text of 1 to ${STOP_CHARACTERS_MAX} characters, or a list of at most ${STOPS_MAX} of them`
    })
    .optional(),
  /** As in vLLM: tokens that end an answer, beside the model's own. */
  stop_token_ids: z.array(z.int().min(0)).max(STOP_TOKENS_MAX).nullish(),
  /** As in vLLM: the stop that ended an answer is part of it. */
  include_stop_str_in_output: z.boolean().nullish(),
  /** As in vLLM: so many tokens come before an end token or a stop counts. */
  min_tokens: z.int().min(0).nullish(),
  /** As in vLLM: go on to the token limit whatever is sampled. */
  ignore_eos: z.boolean().nullish()
}

const endingBody = z.object(endingFields)
export type EndingFields = z.infer<typeof endingBody>

export interface EndingContext {
  /** Tokens that the answer may have. */
  readonly tokensMax: number
  readonly vocabularySize: number
  /** A constraint decides where the answer ends. */
  readonly constrained: boolean
}

type Ending = Pick<GenerationRequest, 'stop' | 'stopTokenIds' | 'includeStop' | 'tokensMin' | 'ignoreEndTokens'>

/** @throws MeshError `invalid_request` naming the field that the model, or the rest of the request, leaves no room for */
export function endingOf(fields: EndingFields, { tokensMax, vocabularySize, constrained }: EndingContext): Ending {
  const { stop, stop_token_ids: ids, include_stop_str_in_output: include, min_tokens, ignore_eos } = fields
  const stopTokenIds = [...new Set(ids ?? [])]
  const tokensMin = min_tokens ?? 0
  if (constrained)
    refuseConstrained({
      ignore_eos: ignore_eos === true,
      stop_token_ids: stopTokenIds.length > 0,
      min_tokens: tokensMin > 0
    })
  const unknown = stopTokenIds.find(id => id >= vocabularySize)
  if (unknown !== undefined) {
    throw invalidRequest('stop_token_ids', `stop_token_ids has ${unknown}; the model has ${vocabularySize} tokens`)
  }
  if (tokensMin > tokensMax) {
    throw invalidRequest(
      'min_tokens',
      `min_tokens is ${tokensMin}, and the answer may have ${tokensMax} tokens`,
      'Ask for fewer, or raise the limit of the answer.'
    )
  }
  return {
    stop: typeof stop === 'string' ? [stop] : (stop ?? []),
    ignoreEndTokens: ignore_eos === true,
    ...(stopTokenIds.length === 0 ? {} : { stopTokenIds }),
    ...(include === true ? { includeStop: true } : {}),
    ...(tokensMin === 0 ? {} : { tokensMin })
  }
}

function refuseConstrained(used: Readonly<Record<'ignore_eos' | 'stop_token_ids' | 'min_tokens', boolean>>): void {
  const [name] = Object.entries(used).find(([, isUsed]) => isUsed) ?? []
  if (name === undefined) return
  throw invalidRequest(
    name,
    `an answer that must have a form ends with it, so ${name} has no place`,
    `Leave ${name} out.`
  )
}
