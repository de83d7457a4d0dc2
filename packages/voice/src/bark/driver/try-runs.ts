import { type AbortOptions, type BarkConfig, MeshError } from '@resultity/interface'
import type { BarkRuns } from './bark-runs.ts'

/** Of a prompt, of what is written behind it, and frames of codes. */
const COUNT = 8

/**
 * Some runs of all graphs, which show that their weights give numbers.
 *
 * @param nowMs milliseconds, monotonic
 * @returns how long each token took that was written
 * @throws MeshError `engine_failed`; what runs throw
 */
export async function tryRuns(
  { fine, codec }: BarkConfig,
  runs: BarkRuns,
  nowMs: () => number,
  options: AbortOptions
): Promise<number[]> {
  const times: number[] = []
  for (const part of ['semantic', 'coarse'] as const) {
    using written = runs.begin(part)
    await written.run(new Array<number>(COUNT).fill(0), 0, options)
    for (let at = 0; at < COUNT; at++) {
      const start = nowMs()
      requireNumbers(await written.run([0], COUNT + at, options))
      times.push(nowMs() - start)
    }
  }
  const books = fine.codebookCount
  const frames = Math.min(COUNT, fine.inputLength)
  const rows = (size: number): Int32Array => Int32Array.from({ length: frames * books }, (_, at) => (at % books) * size)
  requireNumbers(await runs.refine(rows(fine.vocabularySize), books, options))
  requireNumbers(await runs.sound(rows(codec.codebookSize), options))
  return times
}

/** @throws MeshError `engine_failed` for nothing, and for what is no number */
export function requireNumbers(values: Float32Array): void {
  if (values.length > 0 && values.every(Number.isFinite)) return
  throw new MeshError('engine_failed', 'the voice gave what is no number, or nothing', {
    hint: 'its weights may be damaged; import the model again'
  })
}
