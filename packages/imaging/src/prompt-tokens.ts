import { PROMPT_CHUNKS_MAX, type PromptTokens, withParam } from '@resultity/interface'
import type { ClipTokenizer } from '@resultity/tokenizer'

/** Prompts as text encoders read them, in as many chunks. */
export interface TokenizedPrompts {
  readonly prompt: PromptTokens
  readonly negative: PromptTokens
  /** Tokens of both together, as the first encoder counts them, without those that frame them. */
  readonly count: number
}

/** @throws MeshError `context_length_exceeded`, naming the field, for texts of more than {@link PROMPT_CHUNKS_MAX} chunks */
export function tokenizePrompts(
  tokenizers: readonly ClipTokenizer[],
  { prompt, negative }: { readonly prompt: string; readonly negative: string }
): TokenizedPrompts {
  const wanted = encodeAll(tokenizers, prompt, 'prompt')
  const unwanted = encodeAll(tokenizers, negative, 'negative_prompt')
  const chunks = tokenizers.map(({ chunkTokens }, index) => {
    const most = Math.max(wanted[index]?.length ?? 0, unwanted[index]?.length ?? 0)
    return Math.ceil(most / chunkTokens)
  })
  // all encoders get as many, and an empty prompt is a chunk, too
  const count = Math.max(1, ...chunks)
  const chunked = (tokens: readonly number[][]) =>
    tokenizers.map((one, index) => one.chunks(tokens[index] ?? [], count))
  return {
    prompt: chunked(wanted),
    negative: chunked(unwanted),
    count: (wanted[0]?.length ?? 0) + (unwanted[0]?.length ?? 0)
  }
}

function encodeAll(tokenizers: readonly ClipTokenizer[], text: string, param: string): number[][] {
  try {
    return tokenizers.map(one => one.encode(text, PROMPT_CHUNKS_MAX * one.chunkTokens))
  } catch (error) {
    throw withParam(error, param)
  }
}
