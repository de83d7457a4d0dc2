import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { Grammar } from '../src/index.ts'
import { unicodeClass } from '../src/unicode-class.ts'

const LETTERS = ['a', 'b', 'Z', '7', '_', ' ', '\n', '"', '\\', '-', 'é', 'ß', 'ж', '日', '😀', '\u0301']

const atom = fc.constantFrom(
  ...['a', 'b', '.', '\\d', '\\D', '\\w', '\\W', '\\s', '\\S', '[^a]', '[a-zé]', '\\n', '"', '\\\\', '\\u{1F600}'],
  ...['\\p{L}', '\\P{L}', '\\p{Lu}', '[\\p{L}\\p{M}]', '[^\\p{ASCII}]', '\\p{Script=Cyrillic}', '(?:)']
)

const inner = fc.letrec<{ pattern: string }>(tie => ({
  pattern: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    atom,
    fc
      .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}'))
      .map(([item, count]) => `(?:${item})${count}`),
    fc.tuple(tie('pattern'), tie('pattern')).map(([one, other]) => one + other),
    fc.tuple(tie('pattern'), tie('pattern')).map(([one, other]) => `(${one}|${other})`)
  )
})).pattern

/** A pattern with its ends, and what must or must not come ahead. */
const patterns = fc
  .tuple(fc.constantFrom('', '^', '^(?=', '^(?!'), inner, fc.constantFrom('', '$'), inner, fc.constantFrom('', '$'))
  .map(([start, ahead, aheadEnd, main, end]) =>
    start.length > 1 ? `${start}${ahead}${aheadEnd})${main}${end}` : `${start}${main}${end}`
  )

const texts = fc.array(fc.constantFrom(...LETTERS), { maxLength: 5 }).map(letters => letters.join(''))

t.test('a pattern is followed as ECMAScript follows it, within the lengths that are set beside it', async () => {
  const lengths = fc.tuple(fc.constantFrom(undefined, 1, 2), fc.constantFrom(undefined, 2, 3))
  const property = fc.property(
    patterns,
    fc.array(texts, { minLength: 8, maxLength: 8 }),
    lengths,
    (pattern, all, limits) => {
      const [minLength, maxLength] = limits
      const schema = JSON.stringify({ type: 'string', pattern, minLength, maxLength })
      const fits = (text: string): boolean =>
        [...text].length >= (minLength ?? 0) &&
        [...text].length <= (maxLength ?? Number.POSITIVE_INFINITY) &&
        new RegExp(pattern, 'u').test(text)
      let grammar: Grammar
      try {
        grammar = new Grammar({ type: 'json_schema', schema })
      } catch (error) {
        const message = error instanceof Error ? error.message : ''
        return /allows no value/.test(message) && !all.some(fits)
      }
      return all.every(text => grammar.accepts(JSON.stringify(text)) === fits(text))
    }
  )
  assertProperty(property, { numRuns: 600 })
})

t.test('a class of Unicode has the characters that ECMAScript gives it', async t => {
  for (const name of ['L', 'Lu', 'Script=Greek', 'Emoji', 'Any', 'ASCII', 'Cs']) {
    const ranges = unicodeClass(name) ?? []
    const one = new RegExp(`^\\p{${name}}$`, 'u')
    const edges = [0, 0x7f, 0x80, 0x3b1, 0xffff, 0x1_0000, 0x1_f600, 0x10_ffff].concat(
      ranges.slice(0, 200).flatMap(([first, last]) => [first - 1, first, last, last + 1])
    )
    const wrong = edges.filter(code => {
      // halves of pairs are no characters of a text
      if (code < 0 || code > 0x10_ffff || (code >= 0xd800 && code <= 0xdfff)) return false
      return one.test(String.fromCodePoint(code)) !== ranges.some(([first, last]) => code >= first && code <= last)
    })
    t.same(wrong, [], name)
  }
  for (const name of ['', 'No_Such', 'L}', 'L=', '__proto__', 'x'.repeat(100)])
    t.equal(unicodeClass(name), undefined, name)
})
