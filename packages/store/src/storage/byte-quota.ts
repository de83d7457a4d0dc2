import { MeshError } from '@resultity/interface'

/** Bytes that a job takes beside its texts, about: rows, indexes and entries of the store itself. */
const JOB_OVERHEAD_BYTES = 1024

/** Bytes of texts as both databases store them. */
export function bytesOf(...texts: readonly (string | null | undefined)[]): number {
  return texts.reduce((sum, text) => sum + (text == null ? 0 : Buffer.byteLength(text)), 0)
}

/** Bytes of a new job with this body. */
export function newJobBytes(body: string): number {
  return bytesOf(body) + JOB_OVERHEAD_BYTES
}

/** @throws MeshError `storage_quota_exceeded` when `more` bytes do not fit beside those of the namespace */
export function requireRoom(there: number, more: number, most: number): void {
  if (there + more <= most) return
  throw new MeshError(
    'storage_quota_exceeded',
    `this namespace has stored or reserved ${there} bytes, this needs ${more} more, and ${most} is the most`,
    {
      hint: 'Delete requests, files or conversations (DELETE /v1/requests/{id}, for one), or wait for old requests to go.',
      details: { bytes: there, bytesMax: most }
    }
  )
}
