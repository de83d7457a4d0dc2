import { begunLength } from '../text/marks.ts'

/** What is known of a block: where it ends in the text that came last, that it goes on, or that it is none of calls. */
export type Scanned = number | 'open' | 'none'

/** Finds the end of a block that comes in pieces. */
export interface BlockScanner {
  /** @param text of the first piece, the block's opening mark is part */
  push(text: string): Scanned
}

/** A block ends behind a mark. */
export class MarkScanner implements BlockScanner {
  readonly #mark: string
  /** The beginning of the mark with which the text before ended. */
  #begun = ''

  constructor(mark: string) {
    this.#mark = mark
  }

  push(text: string): Scanned {
    const whole = this.#begun + text
    const at = whole.indexOf(this.#mark)
    if (at >= 0) return at + this.#mark.length - this.#begun.length
    this.#begun = whole.slice(whole.length - begunLength(whole, [this.#mark]))
    return 'open'
  }
}

/** The place of the first character in `text` from `from` on that is no white space; undefined where there is none. */
export function firstWord(text: string, from: number): number | undefined {
  for (let at = from; at < text.length; at++) if (!/\s/.test(text.charAt(at))) return at
  return undefined
}
