import { z } from 'zod'

/** Most decoder layers a model may have; the largest published Llama-shaped model has 126. */
export const LAYERS_MAX = 1024

/** A half-open interval of decoder layers, `[first, end)`. Never empty; `0` is the first decoder layer. */
export interface LayerRange {
  readonly first: number
  readonly end: number
}

/** Schema of a {@link LayerRange} that comes from outside. */
export const layerRangeSchema = z
  .object({ first: z.int().min(0).max(LAYERS_MAX), end: z.int().min(1).max(LAYERS_MAX) })
  .refine(range => range.first < range.end, { message: 'a layer range ends after its first layer' })

/** Number of layers in `range`. */
export function layerCount(range: LayerRange): number {
  return range.end - range.first
}

/** True when `ranges`, in order, cover `[0, layers)` exactly: no gap, no overlap. */
export function coversExactly(ranges: readonly LayerRange[], layers: number): boolean {
  let next = 0
  for (const range of ranges) {
    if (range.first !== next || range.end <= range.first) return false
    next = range.end
  }
  return next === layers
}

/** The ranges of `[0, layers)` that none of `ranges` covers, in order. */
export function missingRanges(ranges: readonly LayerRange[], layers: number): LayerRange[] {
  const missing: LayerRange[] = []
  let next = 0
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    if (range.first > next) missing.push({ first: next, end: Math.min(range.first, layers) })
    next = Math.max(next, range.end)
  }
  if (next < layers) missing.push({ first: next, end: layers })
  return missing
}

/** `[first,end)`, as it stands in headers, logs and errors. */
export function formatRange(range: LayerRange): string {
  return `[${range.first},${range.end})`
}
