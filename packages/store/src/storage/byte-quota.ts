import { MeshError } from '@resultity/interface'

/** Rows, indexes and entries of the store itself: what a job takes beside its texts, about. */
const JOB_OVERHEAD_BYTES = 1024

/** What a text takes, as both databases keep it. */
export function bytesOf(...texts: readonly (string | null | undefined)[]): number {
  return texts.reduce((sum, text) => sum + (text == null ? 0 : Buffer.byteLength(text)), 0)
}

/** What a job with this body takes before anything came of it. */
export function newJobBytes(body: string): number {
  return bytesOf(body) + JOB_OVERHEAD_BYTES
}

/** @throws MeshError `storage_quota_exceeded` when `more` bytes do not fit beside what the namespace has */
export function requireRoom(there: number, more: number, most: number): void {
  if (there + more <= most) return
  throw new MeshError(
    'storage_quota_exceeded',
    `this namespace has stored or reserved ${there} bytes, this needs ${more} more, and ${most} is the most`,
    {
      hint: 'Delete requests or files (DELETE /v1/requests/{id}, /v1/files/{id}), or wait for old ones to go.',
      details: { bytes: there, bytesMax: most }
    }
  )
}
