import type { WeightFilePlan } from '@resultity/formats'
import { type ErrorCode, MeshError } from '@resultity/interface'
import type fc from 'fast-check'

/** A reader of what comes from outside, and inputs that are nearly right. */
export interface FuzzTarget {
  readonly name: string
  /** Inputs of one run of the tests: some seconds' worth. */
  readonly runs: number
  readonly input: fc.Arbitrary<Uint8Array>
  /** @throws whatever is no refusal: an error without a type, or more made than the input is worth */
  read(input: Uint8Array, directory: string): Promise<void>
}

/** Of a weight file, of each byte of its source. Four bits become 32, and every tensor begins on a page. */
const GROWTH_MAX = 64
const PAGES_MAX = 64 * 1024 * 1024

/** Does `work`; an error with one of these codes is a proper refusal. */
export async function refuse(codes: readonly ErrorCode[], work: () => unknown): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof MeshError) || !codes.includes(error.code)) throw error
  }
}

/** All bytes of the files, which are no more than their source is worth. */
export function drain(files: readonly WeightFilePlan[], sourceBytes: number): void {
  for (const file of files) {
    if (file.layout.bytes > GROWTH_MAX * sourceBytes + PAGES_MAX)
      throw new Error(`a file of ${file.layout.bytes} bytes`)
    let bytes = 0
    for (const chunk of file.chunks()) bytes += chunk.byteLength
    if (bytes !== file.layout.bytes) throw new Error(`${bytes} bytes came, ${file.layout.bytes} were laid out`)
  }
}
