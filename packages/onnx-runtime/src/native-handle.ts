import type { Pointer } from './ort-api.ts'

/**
 * Something that the library made and that has to be freed: once, and not before everybody who uses it has let go. A call
 * under way uses what it was given, a binding its session and its tensors.
 */
export class NativeHandle implements Disposable {
  readonly pointer: Pointer
  readonly #free: () => void
  #users = 1
  #disposed = false

  constructor(pointer: Pointer, free: () => void) {
    this.pointer = pointer
    this.#free = free
  }

  /** Keeps it from being freed until as many calls of {@link release}. */
  retain(): void {
    this.#users++
  }

  release(): void {
    this.#users--
    if (this.#users === 0) this.#free()
  }

  /** Its owner needs it no more. */
  [Symbol.dispose](): void {
    if (this.#disposed) return
    this.#disposed = true
    this.release()
  }
}
