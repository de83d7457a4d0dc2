import type { AddedToken } from './tokenizer-definition.ts'

/** A stretch of ordinary text, or one added token. */
export type Section = { readonly text: string } | { readonly token: AddedToken }

/**
 * A Unicode noncharacter: it has no meaning in text that is exchanged, so it can mark a place inside it.
 * Where a text brings its own, it becomes U+FFFD.
 */
const MARK = '\ufdd0'

/** Finds the tokens that stand for themselves, such as `<|im_end|>`, in text. */
export class AddedTokens {
  readonly #byContent: ReadonlyMap<string, AddedToken>
  readonly #pattern: RegExp | undefined
  readonly #guardPattern: RegExp | undefined

  constructor(tokens: readonly AddedToken[]) {
    this.#byContent = new Map(tokens.map(token => [token.content, token]))
    // alternatives are tried in order, so the longest token that matches at a place wins
    const contents = tokens.map(token => token.content).toSorted((a, b) => b.length - a.length)
    this.#pattern = contents.length === 0 ? undefined : new RegExp(contents.map(escapePattern).join('|'), 'g')
    const special = tokens.filter(token => token.special && token.content.length > 1).map(token => token.content)
    // a lookahead, so that tokens which overlap are all seen
    this.#guardPattern = special.length === 0 ? undefined : new RegExp(special.map(splitFirst).join('|'), 'g')
  }

  /** Cuts `text` at every added token; the longest one at the leftmost place wins. */
  split(text: string): Section[] {
    if (this.#pattern === undefined) return text === '' ? [] : [{ text }]
    const sections: Section[] = []
    let start = 0
    let stripNext = false
    const pushText = (end: number, stripEnd: boolean): void => {
      let between = text.slice(start, end)
      if (stripNext) between = between.trimStart()
      if (stripEnd) between = between.trimEnd()
      if (between !== '') sections.push({ text: between })
    }
    for (const match of text.matchAll(this.#pattern)) {
      const token = this.#byContent.get(match[0])
      if (token === undefined || (token.single_word && insideWord(text, match.index, match[0].length))) continue
      pushText(match.index, token.lstrip)
      sections.push({ token })
      start = match.index + match[0].length
      stripNext = token.rstrip
    }
    pushText(text.length, false)
    return sections
  }

  /**
   * Marks `text` so that {@link split} finds no special token in it, wherever it is pasted; {@link unguard}
   * takes the marks out. A special token of one character cannot be guarded: no known vocabulary has one.
   */
  guard(text: string): string {
    const unmarked = text.replaceAll(MARK, '\ufffd')
    return this.#guardPattern === undefined ? unmarked : unmarked.replaceAll(this.#guardPattern, `$&${MARK}`)
  }

  /** Takes out the marks that {@link guard} put in. */
  unguard(text: string): string {
    return text.replaceAll(MARK, '')
  }
}

/** A pattern for the first character of `content` where the rest follows. */
function splitFirst(content: string): string {
  const first = String.fromCodePoint(content.codePointAt(0) ?? 0)
  return `${escapePattern(first)}(?=${escapePattern(content.slice(first.length))})`
}

function escapePattern(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

function insideWord(text: string, index: number, length: number): boolean {
  return (
    /[\p{L}\p{N}_]$/u.test(text.slice(Math.max(0, index - 2), index)) ||
    /^[\p{L}\p{N}_]/u.test(text.slice(index + length, index + length + 2))
  )
}
