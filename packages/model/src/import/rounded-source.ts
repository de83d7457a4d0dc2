import type { LayerTensorName } from '@resultity/families'
import { canRound, type RoundedEncoding, roundedTensor, type SourceTensor } from '@resultity/formats'
import type { Quantize } from '@resultity/interface'
import type { ModelSource } from './model-source.ts'

/**
 * Bytes of 16-bit matrices from which on `auto` rounds them. A smaller model gains little, and has most to lose.
 */
export const AUTO_BYTES_MIN = 100_000_000

/** What projections multiply by. Norms and biases are small, and a router decides by what rounding would change. */
const ROUNDED: ReadonlySet<LayerTensorName> = new Set([
  'q',
  'k',
  'v',
  'output',
  'gate',
  'up',
  'down',
  'expert_gate',
  'expert_up',
  'expert_down',
  'shared_gate',
  'shared_up',
  'shared_down'
])

/**
 * A model with its plain matrices rounded to blocks, as `quantize` says: to 8 bits, or those of layers to 4 and embedding and head to
 * 8. Rows that are not whole blocks stay as they are, and so do matrices that are in blocks already.
 */
export function roundedSource(source: ModelSource, quantize: Quantize = 'auto'): ModelSource {
  const chosen = quantize === 'auto' ? automatic(source) : quantize
  if (chosen === 'none') return source
  const rounded = (tensor: SourceTensor, target: RoundedEncoding): SourceTensor =>
    canRound(tensor) ? roundedTensor(tensor, target) : tensor
  const inLayers = chosen === 'q4' ? 'Q4_0' : 'Q8_0'
  const layers = source.layers.map(
    layer =>
      new Map(
        [...layer].map(([name, tensors]) => [
          name,
          ROUNDED.has(name) ? tensors.map(tensor => rounded(tensor, inLayers)) : tensors
        ])
      )
  )
  return {
    config: source.config,
    finalNorm: source.finalNorm,
    embedding: rounded(source.embedding, 'Q8_0'),
    layers,
    head: source.head && rounded(source.head, 'Q8_0'),
    [Symbol.dispose]: () => source[Symbol.dispose]()
  }
}

/** 16 bits become 8, for the processor computes with 32 or 8. Who published 32 bits may have meant them. */
function automatic({ embedding, layers, head }: ModelSource): 'none' | 'q8' {
  const matrices = [embedding, ...layers.flatMap(layer => [...layer.values()].flat()), ...(head ? [head] : [])]
  const halves = matrices.filter(({ encoding }) => encoding === 'F16' || encoding === 'BF16')
  return halves.reduce((sum, { rows, rowBytes }) => sum + rows * rowBytes, 0) >= AUTO_BYTES_MIN ? 'q8' : 'none'
}
