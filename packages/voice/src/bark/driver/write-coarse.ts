import type { AbortOptions, BarkConfig } from '@resultity/interface'
import type { WrittenTokens } from './bark-runs.ts'
import type { Chance } from './chance.ts'
import { type DrawSettings, drawToken } from './draw-token.ts'

/** What is said, and what its voice has said before. */
export interface CoarseInit {
  /** Semantic tokens. */
  readonly said: readonly number[]
  readonly history: { readonly semantic: readonly number[]; readonly coarse: readonly (readonly number[])[] }
  readonly draw: DrawSettings
  readonly chance: Chance
}

type Config = Pick<BarkConfig, 'semantic' | 'coarse' | 'codec'>

/**
 * Writes codes of the first codebooks, one after the other for each frame. Bark's second transformer reads a window of semantic tokens
 * and of what it has written, writes some tokens, and reads anew.
 *
 * @returns for each frame its codes
 */
export async function writeCoarse(
  config: Config,
  written: WrittenTokens,
  { said, history, draw, chance }: CoarseInit,
  options: AbortOptions
): Promise<number[][]> {
  const { coarse, semantic, codec } = config
  const ratio = (coarse.rate / semantic.rate) * coarse.codebookCount
  const before = historyOf(config, history, ratio)
  const semantics = [...before.semantic, ...said]
  const wanted = frameCount(said.length, ratio, coarse.codebookCount) * coarse.codebookCount
  const seenMax = Math.floor(coarse.historyLength / ratio)
  const codes: number[] = []
  while (codes.length < wanted) {
    const at = before.semantic.length + Math.round(codes.length / ratio)
    const first = Math.max(0, at - seenMax)
    const seen = semantics.slice(first, first + coarse.inputLength)
    const pads = new Array<number>(coarse.inputLength - seen.length).fill(coarse.pad)
    const behind = [...before.coarse, ...codes].slice(-coarse.historyLength)
    const prompt = [...seen, ...pads, coarse.infer, ...behind]
    const count = Math.min(coarse.windowLength, wanted - codes.length)
    let logits = await written.run(prompt, 0, options)
    for (let index = 0; index < count; index++) {
      const token = drawCode(config, logits, index % coarse.codebookCount, draw, chance)
      codes.push(token)
      if (index + 1 < count) logits = await written.run([token], prompt.length + index, options)
    }
  }
  return framesOf(codes, coarse.codebookCount, token => (token - semantic.semanticCount) % codec.codebookSize)
}

/** As many frames as last as long; with 32 bits, as the reference computes it. */
function frameCount(semanticTokens: number, ratio: number, codebooks: number): number {
  return Math.floor(Math.fround(Math.fround(semanticTokens * Math.fround(ratio)) / codebooks))
}

/** A token of one codebook; of the last, those behind it too, which stand for its codes modulo their number. */
function drawCode(
  { semantic, coarse, codec }: Config,
  logits: Float32Array,
  book: number,
  draw: DrawSettings,
  chance: Chance
): number {
  const first = semantic.semanticCount + book * codec.codebookSize
  const end = book + 1 < coarse.codebookCount ? first + codec.codebookSize : coarse.vocabularySize
  return first + drawToken(logits.subarray(first, end), draw, chance)
}

/** The end of what was said before: as much of both as belongs together. */
function historyOf(
  { semantic, coarse, codec }: Config,
  history: CoarseInit['history'],
  ratio: number
): { readonly semantic: readonly number[]; readonly coarse: readonly number[] } {
  const [first = []] = history.coarse
  if (first.length === 0 || history.semantic.length === 0) return { semantic: [], coarse: [] }
  const codes = first.flatMap((_, frame) =>
    history.coarse.map((row, book) => (row[frame] ?? 0) + book * codec.codebookSize + semantic.semanticCount)
  )
  const semanticCount = Math.min(
    Math.floor(coarse.historyLength / ratio),
    history.semantic.length - (history.semantic.length % 2),
    Math.floor(codes.length / ratio)
  )
  const coarseCount = Math.round(semanticCount * ratio)
  // the last frame of a recording is cut
  return { semantic: lastOf(history.semantic, semanticCount), coarse: lastOf(codes, coarseCount).slice(0, -2) }
}

/** Of none, all: as the reference has it. */
function lastOf(values: readonly number[], count: number): readonly number[] {
  return count === 0 ? values : values.slice(-count)
}

function framesOf(codes: readonly number[], books: number, codeOf: (token: number) => number): number[][] {
  return Array.from({ length: codes.length / books }, (_, frame) =>
    codes.slice(frame * books, (frame + 1) * books).map(codeOf)
  )
}
