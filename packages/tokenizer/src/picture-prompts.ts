import type { PromptTokens } from '@resultity/interface'
import { withParam } from '@resultity/interface'
import type { ClipTokenizer } from './clip-tokenizer.ts'

/** What is asked for, and what not. */
export interface PromptTexts {
  readonly prompt: string
  /** Empty: nothing. */
  readonly negative: string
}

/** Both as the text encoders of a model read them, in as many chunks. */
export interface PicturePrompts {
  readonly prompt: PromptTokens
  readonly negative: PromptTokens
  /** Tokens of the prompt, without those that frame and fill chunks: the most that any encoder has of it. */
  readonly promptTokens: number
  readonly negativeTokens: number
  /** How many chunks each of them became, 1 for a prompt that the encoders read whole. */
  readonly chunks: number
}

/**
 * Cuts a prompt and a negative prompt into chunks, 75 tokens each for published encoders, and frames each chunk: so nothing is
 * dropped behind the first. The shorter one gets empty chunks at its end.
 *
 * @param tokenizers one for each text encoder of the model
 * @throws MeshError `context_length_exceeded`, naming the field, for more tokens than `chunksMax` chunks hold
 */
export function encodePicturePrompts(
  tokenizers: readonly ClipTokenizer[],
  { prompt, negative }: PromptTexts,
  { chunksMax }: { readonly chunksMax: number }
): PicturePrompts {
  const asked = tokensOf(tokenizers, 'prompt', prompt, chunksMax)
  const unasked = tokensOf(tokenizers, 'negative_prompt', negative, chunksMax)
  const chunks = Math.max(
    1,
    ...[asked, unasked].flatMap(each =>
      each.map((tokens, index) => Math.ceil(tokens.length / (tokenizers[index]?.chunkTokens ?? 1)))
    )
  )
  const framed = (each: readonly (readonly number[])[]): PromptTokens =>
    tokenizers.map((tokenizer, index) => tokenizer.chunks(each[index] ?? [], chunks))
  return {
    prompt: framed(asked),
    negative: framed(unasked),
    promptTokens: mostOf(asked),
    negativeTokens: mostOf(unasked),
    chunks
  }
}

function tokensOf(tokenizers: readonly ClipTokenizer[], param: string, text: string, chunksMax: number): number[][] {
  try {
    return tokenizers.map(tokenizer => tokenizer.encode(text, chunksMax * tokenizer.chunkTokens))
  } catch (error) {
    throw withParam(error, param)
  }
}

function mostOf(each: readonly (readonly number[])[]): number {
  return Math.max(0, ...each.map(tokens => tokens.length))
}
