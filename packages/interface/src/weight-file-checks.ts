import type { z } from 'zod'
import type { TensorEntry } from './tensor-entry.ts'

type Extent = TensorEntry['data']

const elementBytes = { f32: 4, f16: 2, bf16: 2 } as const

export interface CheckedFile {
  readonly bytes: number
  readonly tensors: readonly TensorEntry[]
}

/** An extent of the file, and how many bytes the sizes beside it make it. */
interface Claim {
  readonly field: string
  readonly extent: Extent
  readonly bytes: number
}

/**
 * Refuses a weight file whose tensors have one name, lie outside the file or in each other, or have another number of
 * bytes than their sizes make: whoever reads them computes with these numbers.
 */
export function checkWeightFile(file: CheckedFile, context: z.RefinementCtx): void {
  const refuse = (path: (string | number)[], message: string): void =>
    context.addIssue({ code: 'custom', path: ['tensors', ...path], message })
  const names = new Set<string>()
  const extents: { readonly extent: Extent; readonly path: (string | number)[] }[] = []
  for (const [index, tensor] of file.tensors.entries()) {
    if (names.has(tensor.name)) refuse([index, 'name'], `"${tensor.name}" stands there twice`)
    names.add(tensor.name)
    const wrong = 'scales' in tensor ? wrongBlocks(tensor) : undefined
    if (wrong !== undefined) refuse([index, wrong.field], wrong.message)
    for (const { field, extent, bytes } of claimsOf(tensor)) {
      if (extent.bytes !== bytes) refuse([index, field, 'bytes'], `${extent.bytes} bytes, the sizes make it ${bytes}`)
      if (extent.offset + extent.bytes > file.bytes) {
        refuse([index, field, 'offset'], `ends at byte ${extent.offset + extent.bytes}, the file at ${file.bytes}`)
      }
      extents.push({ extent, path: [index, field, 'offset'] })
    }
  }
  let end = 0
  for (const { extent, path } of extents.toSorted((a, b) => a.extent.offset - b.extent.offset)) {
    if (extent.offset < end) refuse(path, `begins at byte ${extent.offset}, inside of what ends at ${end}`)
    end = extent.offset + extent.bytes
  }
}

function wrongBlocks(
  tensor: Extract<TensorEntry, { scales: unknown }>
): { field: string; message: string } | undefined {
  const { columns, blockSize, meanColumns = 0 } = tensor
  if (columns % blockSize !== 0) return { field: 'columns', message: `${columns}, no multiple of ${blockSize}` }
  const copy = columns / blockSize
  if (meanColumns % copy !== 0) return { field: 'meanColumns', message: `${meanColumns}, no multiple of ${copy}` }
  return undefined
}

function claimsOf(tensor: TensorEntry): Claim[] {
  if (!('scales' in tensor)) {
    const count = tensor.shape.reduce((product, dimension) => product * dimension, 1)
    return [{ field: 'data', extent: tensor.data, bytes: count * elementBytes[tensor.encoding] }]
  }
  const { rows, columns, meanColumns = 0, blockSize, encoding, data, scales, zeroPoints } = tensor
  const bits = encoding === 'q4' ? 4 : 8
  const blocks = Math.ceil((columns + meanColumns) / blockSize)
  const claims: Claim[] = [
    { field: 'data', extent: data, bytes: (rows * blocks * blockSize * bits) / 8 },
    { field: 'scales', extent: scales, bytes: rows * blocks * Float32Array.BYTES_PER_ELEMENT }
  ]
  if (zeroPoints === undefined) return claims
  return [...claims, { field: 'zeroPoints', extent: zeroPoints, bytes: rows * Math.ceil((blocks * bits) / 8) }]
}
