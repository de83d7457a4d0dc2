import { ContainerScanner, PYTHON_CONTAINERS } from '../text/container-scanner.ts'
import type { BlockScanner, Scanned } from './block-scanner.ts'

const NAME_CHARACTERS_MAX = 128

/** What has to come: the name of a function and what follows it, that of its first argument, the rest of the call, another call. */
type Place = 'before' | 'name' | 'behind name' | 'argument' | 'behind argument' | 'values' | 'behind call'

/**
 * Reads `[f(a=1), g()]` as it comes. Prose may begin with a bracket too. So the scanner gives up at the first letter that no list of
 * calls of known functions can have there.
 */
export class PythonicScanner implements BlockScanner {
  readonly #names: readonly string[]
  readonly #container = new ContainerScanner(PYTHON_CONTAINERS)
  #place: Place = 'before'
  #name = ''

  constructor(names: ReadonlySet<string>) {
    this.#names = [...names]
  }

  push(text: string): Scanned {
    for (let at = 0; at < text.length; at++) {
      const letter = text.charAt(at)
      if (this.#place === 'values') {
        const end = this.#container.push(text, at)
        if (end === undefined) return 'open'
        this.#place = 'behind call'
        at = end - 1
      } else if (letter === ']' && (this.#place === 'behind call' || (this.#place === 'name' && this.#name === ''))) {
        return at + 1
      } else if (!this.#takes(letter)) return 'none'
    }
    return 'open'
  }

  /** Whether `letter` may come, outside of the values of a call. */
  #takes(letter: string): boolean {
    const isBlank = /\s/.test(letter)
    switch (this.#place) {
      case 'before':
        return this.#goesOn(letter === '[', 'name')
      case 'name':
        if (isBlank && this.#name === '') return true
        if (/[\w.-]/.test(letter)) {
          this.#name += letter
          return this.#names.some(name => name.startsWith(this.#name))
        }
        if (!this.#names.includes(this.#name)) return false
        return isBlank ? this.#goesOn(true, 'behind name') : this.#opens(letter)
      case 'behind name':
        return isBlank || this.#opens(letter)
      case 'argument':
        return this.#argument(letter, isBlank)
      case 'behind argument':
        return isBlank || this.#goesOn(letter === '=', 'values')
      case 'behind call':
        return isBlank || this.#goesOn(letter === ',', 'name')
      case 'values':
        return true
    }
  }

  #opens(letter: string): boolean {
    this.#container.push('(')
    return this.#goesOn(letter === '(', 'argument')
  }

  #argument(letter: string, isBlank: boolean): boolean {
    if ((this.#name === '' ? /[A-Za-z_]/ : /[\w.-]/).test(letter)) {
      this.#name += letter
      return this.#name.length <= NAME_CHARACTERS_MAX
    }
    if (this.#name !== '') {
      return isBlank ? this.#goesOn(true, 'behind argument') : this.#goesOn(letter === '=', 'values')
    }
    if (letter !== ')') return isBlank
    this.#container.push(letter)
    return this.#goesOn(true, 'behind call')
  }

  #goesOn(is: boolean, place: Place): boolean {
    this.#place = place
    this.#name = ''
    return is
  }
}
