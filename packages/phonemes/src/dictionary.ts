import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** Where to look for words that stand a little out of order in the file. */
const NEIGHBOURS = 4

/**
 * The CMU Pronouncing Dictionary: 126,000 English words. It stays the bytes of its file, 4.7 MB outside of the heap: a word is
 * found by halving, as the lines are in the order of their words.
 */
export class PronouncingDictionary {
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Reads the file. @throws the file system's error where the package is not complete */
  static async open(): Promise<PronouncingDictionary> {
    return new PronouncingDictionary(await readFile(fileURLToPath(import.meta.resolve('cmu-pronouncing-dictionary'))))
  }

  /**
   * @param word in small letters, with apostrophes
   * @returns its first pronunciation in ARPAbet with stress, as `HH AH0 L OW1`
   */
  lookup(word: string): readonly string[] | undefined {
    let low = 0
    let high = this.#bytes.length
    while (low < high) {
      const start = this.#lineStart((low + high) >> 1)
      const end = this.#lineEnd(start)
      const entry = this.#entry(start, end)
      // before the words, what opens the file; behind them, what closes it
      if (entry === undefined) {
        if (start < this.#bytes.length / 2) low = end + 1
        else high = start
      } else if (entry.word === word) return this.#first(start, word)
      else if (entry.word < word) low = end + 1
      else high = start
    }
    return this.#near(low, word)
  }

  /** The first of several pronunciations: they stand together, and `(2)` behind the word's first. */
  #first(from: number, word: string): readonly string[] | undefined {
    let found: readonly string[] | undefined
    for (let start = from; start >= 0; start = this.#lineStart(start - 1)) {
      const entry = this.#entry(start, this.#lineEnd(start))
      if (entry?.word !== word) break
      found = entry.sounds
      if (start === 0) break
    }
    return found
  }

  #near(at: number, word: string): readonly string[] | undefined {
    let start = Math.min(at, this.#bytes.length - 1)
    for (let back = 0; back < NEIGHBOURS && start > 0; back++) start = this.#lineStart(start - 1)
    for (let line = 0; line < 2 * NEIGHBOURS && start < this.#bytes.length; line++) {
      const end = this.#lineEnd(start)
      const entry = this.#entry(start, end)
      if (entry?.word === word) return entry.sounds
      start = end + 1
    }
    return undefined
  }

  #lineStart(at: number): number {
    return at <= 0 ? 0 : this.#bytes.lastIndexOf('\n', at - 1) + 1
  }

  #lineEnd(start: number): number {
    const end = this.#bytes.indexOf('\n', start)
    return end < 0 ? this.#bytes.length : end
  }

  /** `  "word(2)": "S OW1 M # remark",` */
  #entry(start: number, end: number): { readonly word: string; readonly sounds: readonly string[] } | undefined {
    const line = this.#bytes.toString('latin1', start, end)
    const [, word, sounds] = /^ {2}"([^"(]+)(?:\(\d+\))?": "([A-Z0-9 ]+)/.exec(line) ?? []
    if (word === undefined || sounds === undefined) return undefined
    return { word, sounds: sounds.trim().split(' ') }
  }
}
