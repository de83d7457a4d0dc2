import type { MeshError } from './errors.ts'
import { modelInvalid } from './model-invalid.ts'

/** How the small text begins that Git keeps in place of a large file: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
const BEGINNING = 'version https://git-lfs.github.com/spec/'

/** Pointers are shorter by their specification. */
export const POINTER_BYTES_MAX = 1024

/** Whether `bytes`, a whole file or its beginning, are a Git LFS pointer. */
export function isLfsPointer(bytes: Uint8Array): boolean {
  return new TextDecoder('latin1').decode(bytes.subarray(0, BEGINNING.length)) === BEGINNING
}

/** The error of a pointer where a file of a model should be. */
export function lfsPointerError(path: string): MeshError {
  return modelInvalid(
    path,
    'is a Git LFS pointer, the note that Git keeps in place of a large file, and not the file itself',
    'Run "git lfs pull" where it was cloned, or download the file from the page of the model.'
  )
}
