import type { AbortOptions, BarkConfig } from '@resultity/interface'
import type { WrittenTokens } from './bark-runs.ts'
import type { Chance } from './chance.ts'
import { type DrawSettings, drawToken, indexOfMost } from './draw-token.ts'

/** What is said, and what its voice has said before. */
export interface SemanticInit {
  /** Ids of the tokenizer. */
  readonly tokens: readonly number[]
  /** Semantic tokens. */
  readonly history: readonly number[]
  readonly draw: DrawSettings
  readonly chance: Chance
}

/**
 * Writes the semantic tokens of a text: Bark's first transformer reads, at each position, a token of the text and one of what the voice
 * has said before.
 *
 * @returns at least one, without the one that ends them
 */
export async function writeSemantic(
  { semantic: config }: Pick<BarkConfig, 'semantic'>,
  written: WrittenTokens,
  { tokens, history, draw, chance }: SemanticInit,
  options: AbortOptions
): Promise<number[]> {
  const { inputLength, textOffset, textPad, end, infer, semanticCount, endProbability, newTokensMax } = config
  const text = filled(tokens.map(token => token + textOffset).slice(0, inputLength), inputLength, textPad)
  const before = filled(history.slice(-inputLength), inputLength, end)
  const said: number[] = []
  let logits = await written.run([...text, infer], 0, options, [...before, -1])
  for (;;) {
    // the last of those that are drawn from is the end
    const known = new Float32Array(semanticCount + 1)
    known.set(logits.subarray(0, semanticCount))
    // nothing at all is not said
    known[semanticCount] = said.length === 0 ? -Infinity : (logits[end] ?? -Infinity)
    const ends = endProbability !== undefined && said.length > 0 && probabilityOf(known, semanticCount) > endProbability
    const drawn = ends ? semanticCount : drawToken(known, draw, chance)
    if (drawn === semanticCount) return said
    said.push(drawn)
    if (said.length >= newTokensMax) return said
    logits = await written.run([drawn], inputLength + said.length, options)
  }
}

function filled(values: readonly number[], length: number, value: number): number[] {
  return [...values, ...new Array<number>(length - values.length).fill(value)]
}

function probabilityOf(logits: Float32Array, index: number): number {
  const most = logits[indexOfMost(logits)] ?? 0
  return Math.exp((logits[index] ?? 0) - most) / logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0)
}
