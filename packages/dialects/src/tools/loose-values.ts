/** Containers within containers. */
const DEPTH_MAX = 64

const WORDS: Readonly<Record<string, unknown>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  null: null,
  None: null
}
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '0': '\0' }
const CLOSES: Readonly<Record<string, string>> = { '[': ']', '{': '}', '(': ')' }

/** Marks around a text that stand for themselves within it: nothing is escaped. */
export const RAW_QUOTES = ['<|"|>', '<escape>'] as const

class NoValue extends Error {}

/**
 * Reads values as models write them that were not taught JSON: those of Python, and objects whose names have no quotes.
 * @throws NoValue, which {@link readValues} catches
 */
class LooseReader {
  readonly #text: string
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  get atEnd(): boolean {
    this.#skip()
    return this.#at >= this.#text.length
  }

  /** Takes `mark` if it comes next. */
  takes(mark: string): boolean {
    this.#skip()
    if (!this.#text.startsWith(mark, this.#at)) return false
    this.#at += mark.length
    return true
  }

  expect(mark: string): void {
    if (!this.takes(mark)) throw new NoValue(`no ${mark} at ${this.#at}`)
  }

  name(): string {
    this.#skip()
    const [name] = /^[A-Za-z_][\w.-]{0,127}/.exec(this.#text.slice(this.#at, this.#at + 128)) ?? []
    if (name === undefined) throw new NoValue(`no name at ${this.#at}`)
    this.#at += name.length
    return name
  }

  value(): unknown {
    this.#skip()
    const quote = [...RAW_QUOTES, '"', "'"].find(one => this.#text.startsWith(one, this.#at))
    if (quote !== undefined) return quote.length > 1 ? this.#raw(quote) : this.#quoted(quote)
    const letter = this.#text[this.#at] ?? ''
    if (letter in CLOSES) return this.#container(letter)
    const [word] = /^[-+]?[\w.]+(?:[-+]\d+)?/.exec(this.#text.slice(this.#at, this.#at + 64)) ?? []
    if (word === undefined) throw new NoValue(`no value at ${this.#at}`)
    this.#at += word.length
    if (Object.hasOwn(WORDS, word)) return WORDS[word]
    const number = Number(word.replaceAll('_', ''))
    if (Number.isFinite(number) && /\d/.test(word)) return number
    throw new NoValue(`${word} is no value`)
  }

  /** What `mark` parts, up to `close`; a mark may stand behind the last. */
  list(close: string, one: () => void): void {
    while (!this.takes(close)) {
      one()
      if (this.takes(',')) continue
      this.expect(close)
      return
    }
  }

  #container(open: string): unknown {
    if (++this.#depth > DEPTH_MAX) throw new NoValue('too deep')
    this.#at++
    const close = CLOSES[open] ?? ''
    const items: unknown[] = []
    const members: [string, unknown][] = []
    this.list(close, () => {
      if (open === '{') members.push(this.#member())
      else items.push(this.value())
    })
    this.#depth--
    return open === '{' ? Object.fromEntries(members) : items
  }

  #member(): [string, unknown] {
    this.#skip()
    const isQuoted = [...RAW_QUOTES, '"', "'"].some(one => this.#text.startsWith(one, this.#at))
    const key = isQuoted ? String(this.value()) : this.#bareKey()
    this.expect(':')
    return [key, this.value()]
  }

  #bareKey(): string {
    const [key] = /^[^:,{}[\]"']{1,256}/.exec(this.#text.slice(this.#at, this.#at + 256)) ?? []
    if (key === undefined) throw new NoValue(`no name at ${this.#at}`)
    this.#at += key.length
    return key.trim()
  }

  #raw(quote: string): string {
    const from = this.#at + quote.length
    const end = this.#text.indexOf(quote, from)
    if (end < 0) throw new NoValue('a text has no end')
    this.#at = end + quote.length
    return this.#text.slice(from, end)
  }

  #quoted(quote: string): string {
    let value = ''
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      const letter = this.#text[at] ?? ''
      if (letter === quote) {
        this.#at = at + 1
        return value
      }
      if (letter !== '\\') value += letter
      else if (/^u[0-9a-fA-F]{4}/.test(this.#text.slice(at + 1, at + 6))) {
        value += String.fromCharCode(Number.parseInt(this.#text.slice(at + 2, at + 6), 16))
        at += 5
      } else {
        const escaped = this.#text[++at] ?? ''
        value += ESCAPES[escaped] ?? escaped
      }
    }
    throw new NoValue('a text has no end')
  }

  #skip(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++
  }
}

export type { LooseReader }

/** What `read` makes of a whole text; undefined where that is not of its form. */
export function readValues<T>(text: string, read: (reader: LooseReader) => T): T | undefined {
  const reader = new LooseReader(text)
  try {
    const value = read(reader)
    return reader.atEnd ? value : undefined
  } catch (error) {
    if (error instanceof NoValue) return undefined
    throw error
  }
}
