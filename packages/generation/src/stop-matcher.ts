/** The text that `push` releases, and whether a stop string ended it. */
export interface StopResult {
  readonly text: string
  /** The stop string that ended the text, where one did. */
  readonly stop?: string
}

/**
 * Ends a text at the first stop string, however the text is cut into pieces: the one that is complete first, and of
 * several that end together the longest.
 *
 * Text that may be the beginning of a stop string is held back until the next piece decides, so that not a character
 * of a stop string ever reaches the client. At most the longest stop string's length is held.
 */
export class StopMatcher {
  readonly #stops: readonly string[]
  readonly #include: boolean
  #held = ''

  /**
   * @param stops without empty strings
   * @param options `include`: the stop string that ended the text is part of it
   */
  constructor(stops: readonly string[], { include = false }: { readonly include?: boolean } = {}) {
    this.#stops = stops
    this.#include = include
  }

  push(piece: string): StopResult {
    if (this.#stops.length === 0) return { text: piece }
    const text = this.#held + piece
    const first = this.#firstStop(text)
    if (first !== undefined) {
      this.#held = ''
      return { text: text.slice(0, this.#include ? first.end : first.at), stop: first.stop }
    }
    const keep = this.#undecided(text)
    this.#held = text.slice(text.length - keep)
    return { text: text.slice(0, text.length - keep) }
  }

  /** The text is over: returns the text that was held back, since it is not a stop string. */
  flush(): string {
    const text = this.#held
    this.#held = ''
    return text
  }

  #firstStop(text: string): { readonly at: number; readonly end: number; readonly stop: string } | undefined {
    let first: { at: number; end: number; stop: string } | undefined
    for (const stop of this.#stops) {
      const at = text.indexOf(stop)
      const end = at + stop.length
      if (at < 0) continue
      if (first === undefined || end < first.end || (end === first.end && at < first.at)) first = { at, end, stop }
    }
    return first
  }

  /** Length of the longest end of `text` that some stop string begins with. */
  #undecided(text: string): number {
    let longest = 0
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length
      }
    }
    return longest
  }
}
