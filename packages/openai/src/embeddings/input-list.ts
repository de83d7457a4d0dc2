import { invalidRequest, MeshError, withParam } from '@resultity/interface'
import { TimeSlice } from '@resultity/jobs'
import type { EncodeInputOptions } from '@resultity/tokenizer'

/** Tokens of all inputs of one request, as OpenAI limits them. */
const REQUEST_TOKENS_MAX = 300_000

/** Inputs of one request, within what it may have together. Gives the event loop back between them. */
export class InputList {
  /** Token ids with those that frame an input. */
  readonly all: number[][] = []
  tokens = 0
  readonly #what: string
  readonly #slice = new TimeSlice()

  /** @param what as errors call the inputs */
  constructor(what: string) {
    this.#what = what
  }

  /** @throws MeshError `invalid_request` about `param` when they are too many together */
  async add(ids: number[], param: string): Promise<void> {
    this.all.push(ids)
    this.tokens += ids.length
    if (this.tokens > REQUEST_TOKENS_MAX) {
      const message = `the ${this.#what} have more than ${REQUEST_TOKENS_MAX} tokens together`
      throw invalidRequest(param, message, 'Send them in several requests.')
    }
    await this.#slice.next()
  }
}

/** What `encode` gives; its errors begin with the name of the input, and are about it. */
export function encodedAs<T>(param: string, encode: () => T): T {
  try {
    return encode()
  } catch (error) {
    const { code, message, hint } = MeshError.from(error)
    throw withParam(new MeshError(code, `${param}: ${message}`, { hint, cause: error }), param)
  }
}

/**
 * How long inputs are cut off.
 *
 * @param wanted `truncate_prompt_tokens` of a request, as vLLM has it
 * @param least tokens of an input
 * @throws MeshError `invalid_request`
 */
export function truncationOf(
  wanted: number | null | undefined,
  {
    id,
    tokenizer: { inputTokensMax }
  }: { readonly id: string; readonly tokenizer: { readonly inputTokensMax: number } },
  least: number
): EncodeInputOptions {
  if (wanted === undefined || wanted === null) return {}
  if (wanted === -1) return { truncateTo: inputTokensMax }
  if (wanted >= least && wanted <= inputTokensMax) return { truncateTo: wanted }
  const message = `truncate_prompt_tokens is ${wanted}; inputs of "${id}" have ${least} to ${inputTokensMax} tokens`
  throw invalidRequest('truncate_prompt_tokens', message, 'Use a number of these, or -1 for the most.')
}
