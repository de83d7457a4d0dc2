import type { AbortOptions, BarkConfig } from '@resultity/interface'
import type { BarkRuns } from './bark-runs.ts'
import type { Chance } from './chance.ts'
import { drawToken } from './draw-token.ts'

/** What is said, and what its voice has said before. */
export interface FineInit {
  /** For each frame, codes of the first codebooks. */
  readonly coarse: readonly (readonly number[])[]
  /** For each codebook, codes of frames. */
  readonly history: readonly (readonly number[])[]
  /** 0: the most likely codes. */
  readonly temperature: number
  readonly chance: Chance
}

type Config = Pick<BarkConfig, 'coarse' | 'fine' | 'codec'>

/**
 * Says the codes of all other codebooks, one after the other, in windows of frames that see each other.
 *
 * @returns for each frame its codes
 */
export async function writeFine(
  config: Config,
  runs: Pick<BarkRuns, 'refine'>,
  init: FineInit,
  options: AbortOptions
): Promise<number[][]> {
  const { coarse, history } = init
  const { fine, codec } = config
  const unknown = new Array<number>(fine.codebookCount - config.coarse.codebookCount).fill(codec.codebookSize)
  const before = framesBefore(history, fine.historyLength)
  const frames = [...before, ...coarse.map(codes => [...codes, ...unknown])]
  const count = frames.length
  while (frames.length < fine.inputLength) frames.push(new Array<number>(fine.codebookCount).fill(codec.codebookSize))
  const windows = Math.max(0, Math.ceil((coarse.length - (fine.inputLength - before.length)) / fine.historyLength)) + 1
  for (let window = 0; window < windows; window++) {
    const start = Math.min(window * fine.historyLength, frames.length - fine.inputLength)
    const fill = Math.min(before.length + window * fine.historyLength, frames.length - fine.historyLength)
    const seen = frames.slice(start, start + fine.inputLength)
    for (let book = config.coarse.codebookCount; book < fine.codebookCount; book++) {
      const logits = await runs.refine(rowsOf(seen, book + 1, fine.vocabularySize), book + 1, options)
      setCodes(config, seen, logits, { book, from: fill - start, ...init })
    }
  }
  return frames.slice(before.length, count)
}

/** Rows of the table of all codebooks, which lie one after the other in it. */
export function rowsOf(frames: readonly (readonly number[])[], books: number, bookSize: number): Int32Array {
  const rows = new Int32Array(frames.length * books)
  for (const [frame, codes] of frames.entries()) {
    for (let book = 0; book < books; book++) rows[frame * books + book] = book * bookSize + (codes[book] ?? 0)
  }
  return rows
}

interface SetInit extends Pick<FineInit, 'temperature' | 'chance'> {
  readonly book: number
  /** The first frame that is set; those before it stand. */
  readonly from: number
}

function setCodes(
  { fine, codec }: Config,
  frames: readonly number[][],
  logits: Float32Array,
  { book, from, temperature, chance }: SetInit
): void {
  const draw = { temperature, topK: 0, topP: 1 }
  for (let frame = from; frame < frames.length; frame++) {
    const first = frame * fine.vocabularySize
    const codes = frames[frame]
    if (codes !== undefined) codes[book] = drawToken(logits.subarray(first, first + codec.codebookSize), draw, chance)
  }
}

function framesBefore(history: readonly (readonly number[])[], most: number): number[][] {
  const [first = []] = history
  return first.map((_, frame) => history.map(row => row[frame] ?? 0)).slice(-most)
}
