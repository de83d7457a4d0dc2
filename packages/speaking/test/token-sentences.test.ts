import t from 'tap'
import { tokenSentences } from '../src/token-sentences.ts'

/** A token for each letter, framed. */
const tokenizer = { encode: (text: string) => [0, ...Array.from(text, letter => letter.codePointAt(0) ?? 0), 1] }
const read = (text: string, tokensMax: number): string[] =>
  tokenSentences(text, tokenizer, tokensMax).map(ids => String.fromCodePoint(...ids))

t.test('sentences are cut at their ends, in any language', async t => {
  t.strictSame(read('One. Two!  Three?\n\nFour', 20), ['One.', 'Two!', 'Three?', 'Four'])
  t.strictSame(read('你好。再见。', 20), ['你好。', '再见。'])
  t.strictSame(read(' \n ', 20), [])
  t.strictSame(read('It costs 3.50 today.', 20), ['Itcosts3.50today.'])
})

t.test('long ones are cut behind a clause, else behind a word, and long words anywhere', async t => {
  t.strictSame(read('one two, three four five', 14), ['onetwo,', 'threefourfive'])
  t.strictSame(read('one two three four five', 12), ['onetwothree', 'fourfive'])
  t.strictSame(read('abcdefghij', 4), ['abcd', 'efgh', 'ij'])
  const text = 'word, '.repeat(700)
  const parts = tokenSentences(text, tokenizer, 53)
  t.ok(parts.every(({ length }) => length > 0 && length <= 53))
  t.equal(parts.flat().length, 3500, 'nothing is left out')
})
