/** `tokenizer.ggml.token_type`, as llama.cpp numbers them. */
export const TokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

/** The tokens of a GGUF file; `types` has one of {@link TokenType} a token. */
export interface GgufVocabulary {
  readonly tokens: readonly string[]
  readonly types: readonly number[]
  readonly ids: ReadonlyMap<string, number>
}

/** Two tokens that become one. */
export type Merge = readonly [left: string, right: string]

/**
 * The merges that a SentencePiece vocabulary implies: every way to make a token of two others, those of the
 * highest score first; among the ways to make one token, those of the better left part, then right part. As in the
 * converter of Hugging Face's transformers. Only ordinary tokens are made or used, so no text merges into a control token.
 */
export function mergesFromScores({ tokens, types, ids }: GgufVocabulary, scores: readonly number[]): Merge[] {
  const scoreOf = (token: string): number | undefined => {
    const id = ids.get(token)
    return id !== undefined && types[id] === TokenType.normal ? scores[id] : undefined
  }
  const merges: { readonly pair: Merge; readonly score: number }[] = []
  for (const [id, token] of tokens.entries()) {
    const score = scores[id]
    if (score === undefined || types[id] !== TokenType.normal) continue
    const ways: { readonly pair: Merge; readonly left: number; readonly right: number }[] = []
    for (let cut = 1; cut < token.length; cut++) {
      const left = scoreOf(token.slice(0, cut))
      const right = scoreOf(token.slice(cut))
      if (left !== undefined && right !== undefined) {
        ways.push({ pair: [token.slice(0, cut), token.slice(cut)], left, right })
      }
    }
    ways.sort((a, b) => b.left - a.left || b.right - a.right)
    for (const { pair } of ways) merges.push({ pair, score })
  }
  return merges.sort((a, b) => b.score - a.score).map(merge => merge.pair)
}
