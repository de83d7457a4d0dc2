import { createHash } from 'node:crypto'

/**
 * A digest of what fixed inputs came out as. Two machines have the same digest where their kernels agree to the last bit:
 * the same instructions of the processor, the same library, the same graph.
 */
export class KernelDigest {
  readonly #hash = createHash('sha256')

  /** Takes in the values as they are now. */
  add(values: Float32Array): void {
    this.#hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  }

  /** 64 hexadecimal digits. Nothing can be added after it. */
  end(): string {
    return this.#hash.digest('hex')
  }
}
