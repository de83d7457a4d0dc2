import type { ArgumentNotation } from '@resultity/interface'
import { without } from './characters.ts'
import type { Expression, Expressions } from './expression.ts'
import { PLAIN } from './json-characters.ts'
import { JsonText } from './json-text.ts'
import { marker, tokenOf } from './prelude.ts'
import { textUpTo } from './text-up-to.ts'

/** How values stand within the arguments of a call. */
export function valueText(expressions: Expressions, notation: ArgumentNotation): JsonText {
  switch (notation) {
    case 'python':
      return new PythonText(expressions)
    case 'xml':
      // a text of JSON among tags has none of its own
      return new JsonText(expressions, without(PLAIN, [[LESS, LESS]]))
    case 'gemma':
      return new GemmaText(expressions, '<|"|>', '<tool_call|>')
    case 'function-gemma':
      return new GemmaText(expressions, '<escape>', '<end_function_call>')
  }
}

const LESS = 0x3c

/** Texts, lists and dictionaries of Python may be written as in JSON. */
class PythonText extends JsonText {
  protected override get isOwnNotation(): boolean {
    return true
  }

  protected override word(value: boolean | null): string {
    return value === null ? 'None' : value ? 'True' : 'False'
  }
}

/** Texts between marks, in which nothing is escaped, and names without quotes. A text that must have a form is one of JSON. */
class GemmaText extends JsonText {
  protected override get isOwnNotation(): boolean {
    return true
  }
  readonly #quote: string
  readonly #end: string

  constructor(expressions: Expressions, quote: string, end: string) {
    super(expressions)
    this.#quote = quote
    this.#end = end
  }

  override string(min = 0, max = Number.POSITIVE_INFINITY): Expression {
    if (min > 0 || max < Number.POSITIVE_INFINITY) return super.string(min, max)
    const { expressions } = this
    const text = textUpTo(expressions, this.#quote, tokenOf(expressions, this.#quote), [this.#end])
    return expressions.pair(marker(expressions, this.#quote), text)
  }

  override name(name: string): Expression {
    return isBareName(name) ? this.expressions.literal(name) : super.name(name)
  }

  protected override text(text: string): Expression {
    if (text.includes(this.#quote) || text.includes(this.#end)) return super.text(text)
    const quote = marker(this.expressions, this.#quote)
    return this.expressions.sequence([quote, this.expressions.literal(text), quote])
  }
}

/** A name that its reader takes without quotes. */
export function isBareName(name: string): boolean {
  return /^[A-Za-z_][\w-]{0,127}$/.test(name)
}
