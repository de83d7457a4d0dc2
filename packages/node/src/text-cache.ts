import type { TextStates } from '@resultity/interface'

/** Prompts whose states are kept: those of a few pictures at once, of some 250 kB each. */
const TEXTS_MAX = 16

/** States of the prompts that a model was given last, so that each step of a picture does not encode them again. */
export class TextCache {
  /** The one that was used last is the last. */
  readonly #states = new Map<string, TextStates>()

  /** Those of `prompt`, which `encode` makes where they are not here. @throws what it throws */
  async of(prompt: unknown, encode: () => Promise<TextStates>): Promise<TextStates> {
    const key = JSON.stringify(prompt)
    const states = this.#states.get(key) ?? (await encode())
    this.#states.delete(key)
    this.#states.set(key, states)
    const [oldest] = this.#states.keys()
    if (this.#states.size > TEXTS_MAX && oldest !== undefined) this.#states.delete(oldest)
    return states
  }
}
