import type { TextStates } from '@resultity/interface'

/** Prompts whose states are kept: those of a few pictures at once. */
const TEXTS_MAX = 16

/** Of all of them. A short prompt has some 250 kB, and the longest of a model like XL 10 MB. */
const BYTES_MAX = 32 * 1024 * 1024

/** States of the prompts that a model was given last, so that each step of a picture does not encode them again. */
export class TextCache {
  /** The one that was used last is the last. */
  readonly #states = new Map<string, TextStates>()
  #bytes = 0

  /** Those of `prompt`, which `encode` makes where they are not here. @throws what it throws */
  async of(prompt: unknown, encode: () => Promise<TextStates>): Promise<TextStates> {
    const key = JSON.stringify(prompt)
    const states = this.#states.get(key) ?? (await encode())
    this.#forget(key)
    this.#states.set(key, states)
    this.#bytes += bytesOf(states)
    for (const oldest of this.#states.keys()) {
      if (this.#states.size <= TEXTS_MAX && this.#bytes <= BYTES_MAX) break
      this.#forget(oldest)
    }
    return states
  }

  #forget(key: string): void {
    const states = this.#states.get(key)
    if (states === undefined) return
    this.#states.delete(key)
    this.#bytes -= bytesOf(states)
  }
}

function bytesOf({ states, pooled }: TextStates): number {
  return states.byteLength + pooled.byteLength
}
