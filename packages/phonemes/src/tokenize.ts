import { abbreviation } from './abbreviations.ts'
import { cardinal, ordinal } from './number-words.ts'
import { romanNumeral } from './roman-numerals.ts'
import { letters, type Mark, mark, type Token, words } from './tokens.ts'
import { writtenForms } from './written-forms.ts'

export interface Tokenized {
  readonly tokens: readonly Token[]
  /** Characters for which there is no sound, each once, in the order of the text. */
  readonly unspoken: readonly string[]
}

/** Characters that are told of as unspoken, at the most. */
const UNSPOKEN_MAX = 64

/** A Latin word: letters, with apostrophes inside and one behind. Longer than any word, so that work on one is bounded. */
const WORD = /[\p{Script=Latin}]{1,64}(?:['’][\p{Script=Latin}]{1,64}){0,4}/uy

/** `U.S.`, `a.m.`, `e.g.`: single letters with points. */
const DOTTED = /(?:\p{Script=Latin}\.){2,8}/uy

/** Initials that would be another word in small letters, or are not in the dictionary. */
const INITIALS =
  /^(?:US|IT|UN|AM|PM|ID|OS|IP|UI|UX|IO|AI|UK|EU|USA|IEEE|AES|URL|URI|API|CEO|FAQ|DIY|UFO|ISO|IOU|EOF|ETA|AKA|LED)$/

/** Signs that are said as words, wherever they stand. */
const signs: Readonly<Record<string, string>> = {
  '&': 'and',
  '%': 'percent',
  '+': 'plus',
  '=': 'equals',
  '@': 'at',
  '#': 'hash',
  '°': 'degrees',
  '<': 'less than',
  '>': 'greater than',
  '×': 'times',
  '÷': 'divided by',
  '≈': 'about',
  '±': 'plus or minus',
  $: 'dollar',
  '£': 'pound',
  '€': 'euro',
  '¥': 'yen',
  '§': 'section',
  '½': 'a half',
  '¼': 'a quarter',
  '¾': 'three quarters',
  α: 'alpha',
  β: 'beta',
  γ: 'gamma',
  δ: 'delta',
  ε: 'epsilon',
  λ: 'lambda',
  μ: 'mu',
  µ: 'micro',
  π: 'pi',
  σ: 'sigma',
  τ: 'tau',
  φ: 'phi',
  ω: 'omega',
  Ω: 'omega',
  Δ: 'delta'
}

const marks: Readonly<Record<string, Mark>> = {
  '.': '.',
  '…': '.',
  '。': '.',
  '?': '?',
  '？': '?',
  '!': '!',
  '！': '!',
  ',': ',',
  '，': ',',
  ';': ';',
  ':': ':',
  '—': ','
}

/** Neither said nor missed: quotes, brackets, emphasis, joiners. */
const SILENT = /[\s"'“”‘’«»()[\]{}*_`~^|\\/<>·•\-–‐‑\u00AD\u200B-\u200D\uFEFF©®™\p{Mn}]/u

/**
 * Makes words of a text: numbers, money, dates, times, abbreviations and signs as they are read aloud. Pure; each character is
 * looked at a bounded number of times.
 */
export function tokenize(text: string): Tokenized {
  const reading = new Reading(text.normalize('NFC'))
  while (!reading.done) reading.next()
  return { tokens: reading.tokens, unspoken: [...reading.unspoken] }
}

class Reading {
  readonly tokens: Token[] = []
  readonly unspoken = new Set<string>()
  readonly #text: string
  /** Without small letters, capitals say nothing of a word. */
  readonly #shouted: boolean
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.#shouted = !/\p{Ll}/u.test(text)
  }

  get done(): boolean {
    return this.#at >= this.#text.length
  }

  next(): void {
    if (this.#space() || this.#form() || this.#dotted() || this.#word()) return
    this.#character()
  }

  #space(): boolean {
    const space = this.#take(/\s+/y)
    if (space === undefined) return false
    if (/\n\s*\n/.test(space)) this.tokens.push({ kind: 'break' })
    return true
  }

  #form(): boolean {
    // not within a word
    if (/[\p{L}\d]/u.test(this.#text[this.#at - 1] ?? '')) {
      if (!/\d/.test(this.#text[this.#at] ?? '')) return false
    }
    for (const { pattern, read } of writtenForms) {
      pattern.lastIndex = this.#at
      const match = pattern.exec(this.#text)
      const tokens = match === null ? undefined : read(Array.from(match, group => group ?? ''))
      if (match === null || tokens === undefined) continue
      this.#at = pattern.lastIndex
      this.tokens.push(...tokens)
      return true
    }
    return false
  }

  #dotted(): boolean {
    const start = this.#at
    const dotted = this.#take(DOTTED)
    if (dotted === undefined) return false
    const known = abbreviation(dotted.slice(0, -1), this.#ahead())
    if (known !== undefined) this.tokens.push(...words(known.words))
    else if (/\p{L}/u.test(this.#text[this.#at] ?? '')) {
      // as in `a.b.com`, which is no row of initials
      this.#at = start
      return false
    } else this.tokens.push(letters(plain(dotted.replaceAll('.', ''))))
    if (this.#mayEndHere()) this.tokens.push(mark('.'))
    return true
  }

  #word(): boolean {
    const found = this.#take(WORD)
    if (found === undefined) return false
    const text = plain(found)
    const point = this.#text[this.#at] === '.'
    const known = point ? abbreviation(text, this.#ahead(1)) : undefined
    if (known !== undefined) {
      this.#at++
      this.tokens.push(...words(known.words))
      if (known.ends === true && this.#mayEndHere()) this.tokens.push(mark('.'))
      return true
    }
    this.tokens.push(...this.#wordTokens(text))
    return true
  }

  #wordTokens(text: string): Token[] {
    const before = this.tokens.at(-1)
    const numeral = romanNumeral(text, before?.kind === 'word' ? before.text : '')
    if (numeral !== undefined) {
      return words(numeral.ordinal ? `the ${ordinal(numeral.digits)}` : cardinal(numeral.digits))
    }
    const bare = text.replace(/(?<=^[A-Z]{2,5})'?s$/, '')
    return this.#isSpelled(bare) ? [letters(bare, bare !== text)] : words(text)
  }

  /** Initials: capitals that make no word, in a text that has small letters too. */
  #isSpelled(text: string): boolean {
    if (/^[A-Z][^aeiouy']{1,5}$/i.test(text) && /^[A-Z]/.test(text) && !/[aeiouy]/i.test(text)) {
      return !/^(?:h?m+|s+h+|p+s+t|brr+|mrs?|dr|st)$/i.test(text)
    }
    return !this.#shouted && INITIALS.test(text)
  }

  #character(): void {
    const character = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0)
    const before = this.#text[this.#at - 1] ?? ' '
    this.#at += character.length
    const said = signs[character]
    const pause = marks[character]
    if (pause !== undefined) this.#mark(pause)
    else if (character === '-' && before === ' ' && /^[\s-]/.test(this.#text.slice(this.#at, this.#at + 1)))
      this.#mark(',')
    else if (character === '–' && before === ' ') this.#mark(',')
    else if (said !== undefined) this.tokens.push(...words(said))
    else if (!SILENT.test(character) && this.unspoken.size < UNSPOKEN_MAX) this.unspoken.add(character)
  }

  /** One mark where several stand together: the one that says most. */
  #mark(which: Mark): void {
    const last = this.tokens.at(-1)
    if (last === undefined || last.kind === 'break') return
    if (last.kind !== 'mark') this.tokens.push(mark(which))
    else if (!isEnd(last.mark) || which === '?') this.tokens[this.tokens.length - 1] = mark(which)
  }

  #mayEndHere(): boolean {
    const ahead = this.#text.slice(this.#at, this.#at + 64)
    return ahead.trim() === '' || /^["'”’)\]]*\s+["'“‘([]*\p{Lu}/u.test(ahead)
  }

  /** What stands behind the next `skip` characters and the spaces there. */
  #ahead(skip = 0): string {
    return this.#text.slice(this.#at + skip, this.#at + skip + 32).trimStart()
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) return undefined
    this.#at = pattern.lastIndex
    return match[0]
  }
}

export function isEnd(which: Mark): boolean {
  return which === '.' || which === '?' || which === '!'
}

const LIGATURES: Readonly<Record<string, string>> = {
  æ: 'ae',
  œ: 'oe',
  ß: 'ss',
  ø: 'o',
  ð: 'th',
  þ: 'th',
  ł: 'l',
  đ: 'd',
  ı: 'i'
}

/** A word in basic Latin letters and apostrophes: accents off, ligatures taken apart. */
function plain(word: string): string {
  const bare = word
    .normalize('NFD')
    .replaceAll(/\p{Mn}/gu, '')
    .replaceAll('’', "'")
  return bare.replaceAll(/[^A-Za-z']/g, letter => LIGATURES[letter.toLowerCase()] ?? '')
}
