import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { withPunctuation, wordsOf } from '../src/spoken-words.ts'
import { textOf } from '../src/token-text.ts'

/** Tokens of one byte each. */
const bytesOf = (token: number): Uint8Array => Uint8Array.of(token)
const bytes = (text: string): number[] => [...Buffer.from(text)]
const pieces: Readonly<Record<number, string>> = {
  0: ' Hel',
  1: 'lo',
  2: ',',
  3: ' wor',
  4: 'ld',
  5: '!',
  6: ' "',
  7: '"',
  8: ' -'
}
const pieceOf = (token: number): Uint8Array => Buffer.from(pieces[token] ?? '')
const texts = (words: readonly { readonly text: string }[]): string[] => words.map(({ text }) => text)

t.test('words are cut at spaces, and punctuation stands alone', async t => {
  t.strictSame(wordsOf([0, 1, 2, 3, 4, 5], 'en', pieceOf), [
    { text: ' Hello', tokens: [0, 1] },
    { text: ',', tokens: [2] },
    { text: ' world', tokens: [3, 4] },
    { text: '!', tokens: [5] }
  ])
})

t.test('languages without spaces are cut at every character', async t => {
  t.strictSame(texts(wordsOf(bytes('東京é'), 'ja', bytesOf)), ['東', '京', 'é'])
  t.strictSame(texts(wordsOf(bytes('東京'), 'en', bytesOf)), ['東京'])
})

t.test('a character that never becomes whole stands for itself', async t => {
  t.strictSame(texts(wordsOf([0xe6, 0x41], 'zh', bytesOf)), ['\ufffd', 'A'])
})

t.test('punctuation is joined with its word, and keeps its times', async t => {
  const timed = wordsOf([6, 0, 1, 2, 3, 4, 5, 7], 'en', pieceOf).map((word, index) => ({
    ...word,
    start: index,
    end: index + 1
  }))
  t.strictSame(withPunctuation(timed), [
    { text: ' " Hello,', tokens: [6, 0, 1, 2], start: 1, end: 2 },
    { text: ' world!"', tokens: [3, 4, 5, 7], start: 3, end: 4 }
  ])
})

t.test('no token and no character is lost', async () => {
  const token = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(...bytes(' é東"!.,-')))
  assertProperty(
    fc.property(fc.array(token, { maxLength: 40 }), fc.constantFrom('en', 'ja'), (tokens, language) => {
      for (const words of [wordsOf(tokens, language, bytesOf), withPunctuation(wordsOf(tokens, language, bytesOf))]) {
        if (words.flatMap(word => word.tokens).join() !== tokens.join()) return false
        const whole = textOf(tokens, bytesOf)
        if (!whole.includes('\ufffd') && texts(words).join('') !== whole) return false
      }
      return true
    })
  )
})
