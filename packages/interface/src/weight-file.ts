import { z } from 'zod'
import { LAYERS_MAX } from './layer-range.ts'
import { tensorEntrySchema } from './tensor-entry.ts'
import { checkWeightFile } from './weight-file-checks.ts'

/** Lower-case hex SHA-256. */
export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 is 64 lower-case hexadecimal digits')

const size = z.int().positive()

/** One file; every extent in it starts on a multiple of {@link TENSOR_ALIGNMENT_BYTES}. */
export const weightFileSchema = z
  .object({
    /**
     * What names the file: the SHA-256 of its bytes. In a manifest with a recipe nobody knows that yet, and it is the SHA-256 of
     * how the file is made, see `fileNames` of `@resultity/model`.
     */
    sha256: sha256Schema,
    bytes: size,
    tensors: z.array(tensorEntrySchema).max(64)
  })
  .superRefine(checkWeightFile)
export type WeightFile = z.infer<typeof weightFileSchema>

/** ONNX Runtime maps external data in place only at page-aligned offsets. */
export const TENSOR_ALIGNMENT_BYTES = 4096

/**
 * Bytes that a decoder's weight file takes in memory once it is loaded: processors multiply numbers of 16 bits as 32. A table that
 * is only looked up stays as it is.
 */
export function loadedBytes({ bytes, tensors }: WeightFile, { lookedUp = false } = {}): number {
  if (lookedUp) return bytes
  const halves = tensors.filter(({ encoding }) => encoding === 'f16' || encoding === 'bf16')
  return bytes + halves.reduce((sum, { data }) => sum + data.bytes, 0)
}

/** The weight files of a model, one a layer. */
export const layerFiles = z.array(weightFileSchema).min(1).max(LAYERS_MAX)

/** A file of the store. */
export const blobRefSchema = z.object({ sha256: sha256Schema, bytes: size })
export type BlobRef = z.infer<typeof blobRefSchema>
