/** How containers of values are written. */
export interface ContainerForm {
  /** Opening brackets, and their closing ones in the same order. */
  readonly opens: string
  readonly closes: string
  /** Characters that begin and end a text; a backslash in it takes the next character with it. */
  readonly quotes: string
}

export const JSON_CONTAINERS: ContainerForm = { opens: '{[', closes: '}]', quotes: '"' }
export const PYTHON_CONTAINERS: ContainerForm = { opens: '{[(', closes: '}])', quotes: '"\'' }

/**
 * Finds the end of an object, a list or anything else in brackets, in a text that comes in pieces. It looks at each character once. It
 * counts brackets outside of texts, whichever they are, so what it finds need not be valid.
 */
export class ContainerScanner {
  readonly #form: ContainerForm
  #depth = 0
  #quote: string | undefined
  #escaped = false

  constructor(form: ContainerForm = JSON_CONTAINERS) {
    this.#form = form
  }

  /** @returns the place in `text` behind the container, after which the next may follow; undefined while it goes on */
  push(text: string, from = 0): number | undefined {
    for (let at = from; at < text.length; at++) if (this.#ends(text.charAt(at))) return at + 1
    return undefined
  }

  /** Whether `letter` closes the outermost container. */
  #ends(letter: string): boolean {
    if (this.#quote !== undefined) {
      if (this.#escaped) this.#escaped = false
      else if (letter === '\\') this.#escaped = true
      else if (letter === this.#quote) this.#quote = undefined
      return false
    }
    const { opens, closes, quotes } = this.#form
    if (quotes.includes(letter)) this.#quote = letter
    else if (opens.includes(letter)) this.#depth++
    else if (closes.includes(letter)) {
      this.#depth = Math.max(0, this.#depth - 1)
      return this.#depth === 0
    }
    return false
  }
}
