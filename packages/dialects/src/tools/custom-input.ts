/** The one argument of a custom tool, where the model is told of it as of a function. */
export const CUSTOM_ARGUMENT = 'input'

const HEAD = new RegExp(`^\\s*\\{\\s*"${CUSTOM_ARGUMENT}"\\s*:\\s*"`)
const ESCAPE_CHARACTERS = 2
const UNICODE_ESCAPE_CHARACTERS = 6

/** Takes the text for a custom tool out of the arguments that hold it, as they come. */
export class CustomInput {
  #held = ''
  #part: 'head' | 'text' | 'over' = 'head'

  /** @returns more of the text */
  push(json: string): string {
    this.#held += json
    if (this.#part === 'head') {
      const head = HEAD.exec(this.#held)
      if (head === null) return this.#otherwise()
      this.#held = this.#held.slice(head[0].length)
      this.#part = 'text'
    }
    return this.#part === 'text' ? this.#text() : ''
  }

  /** Characters as far as they have come whole. */
  #text(): string {
    let end = 0
    // behind the last character that is none without what follows it
    let certain = 0
    for (let isOver = false; !isOver; ) {
      const letter = this.#held[end]
      if (letter === undefined) break
      if (letter === '"') {
        this.#part = 'over'
        isOver = true
        certain = end
      } else {
        end += letter !== '\\' ? 1 : this.#held[end + 1] === 'u' ? UNICODE_ESCAPE_CHARACTERS : ESCAPE_CHARACTERS
        if (end > this.#held.length) break
        if (!/\\u[dD][89abAB][0-9a-fA-F]{2}$/.test(this.#held.slice(Math.max(0, end - 6), end))) certain = end
      }
    }
    const written = this.#held.slice(0, certain)
    this.#held = this.#held.slice(certain)
    return unescaped(written)
  }

  /** Arguments of another form, which a model may write when nothing holds it to one: the only text in them, or all of them. */
  #otherwise(): string {
    const values = parsed(this.#held)
    if (values === undefined) return ''
    this.#part = 'over'
    const named = Object.hasOwn(Object(values), CUSTOM_ARGUMENT) ? Object(values)[CUSTOM_ARGUMENT] : undefined
    const [only, ...others] = Object.values(Object(values))
    const value = named ?? (others.length === 0 ? only : undefined)
    return typeof value === 'string' ? value : JSON.stringify(value ?? values)
  }
}

function unescaped(written: string): string {
  const plain = written.replaceAll(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a text in JSON must not have
    /[\u0000-\u001f]/g,
    control => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`
  )
  const text = parsed(`"${plain}"`)
  return typeof text === 'string' ? text : written
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // it is not whole yet, or no JSON
    return undefined
  }
}
