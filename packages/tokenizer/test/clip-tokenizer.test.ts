import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BlobStore } from '@resultity/interface'
import { assertProperty, hardTexts } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { type ClipTokens, createClipTokenizer, encodePicturePrompts, loadClipTokenizers } from '../src/index.ts'

const folder = join(import.meta.dirname, '../../test/fixtures/clip')
const files = { vocabulary: readFileSync(join(folder, 'vocab.json')), merges: readFileSync(join(folder, 'merges.txt')) }
const vocabulary: Record<string, number> = JSON.parse(files.vocabulary.toString())

/** Made by scripts/reference-clip-tokens.py, with the reference implementation; `mark` where `!` fills chunks. */
const reference: { cases: { text: string; end: number[]; mark?: number[] }[] } = JSON.parse(
  readFileSync(join(folder, 'tokens.json'), 'utf8')
)

const END = vocabulary['<|endoftext|>'] ?? -1
const tokens: ClipTokens = {
  vocabularySize: END + 1,
  length: 77,
  beginToken: END - 1,
  endToken: END,
  padToken: END
}
const filledByEnd = createClipTokenizer(files, tokens)
const filledByMark = createClipTokenizer(files, { ...tokens, padToken: 0 })

t.test('texts become the ids of the reference implementation', async t => {
  t.ok(reference.cases.length >= 200)
  for (const [index, { text, end, mark = end }] of reference.cases.entries()) {
    const ids = [filledByEnd, filledByMark].map(tokenizer => tokenizer.encode(text, 10_000))
    t.strictSame(ids, [end, mark], `text ${index}`)
  }
})

t.test('any text has tokens, the same ones however its letters are written', async t => {
  assertProperty(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), text => {
      const ids = filledByEnd.encode(text, 10_000)
      const same = filledByEnd.encode(text.normalize('NFD'), 10_000).join() === ids.join()
      return same && ids.every(id => Number.isInteger(id) && id >= 0 && id <= END)
    }),
    { numRuns: 500 }
  )
  for (const text of hardTexts) filledByEnd.encode(text, 20_000)
  t.pass('for every sample')
})

t.test('a chunk is begun, ended and filled up, and a prompt has as many as it needs', async t => {
  const of = (prompt: string, negative = '') => {
    return encodePicturePrompts([filledByEnd, filledByMark], { prompt, negative }, { chunksMax: 4 })
  }
  const [a, cat] = filledByEnd.encode('a cat', 10)
  const short = of('a cat')
  const filled = (pad: number): number[] => new Array<number>(73).fill(pad)
  t.strictSame(short.prompt, [[[END - 1, a, cat, END, ...filled(END)]], [[END - 1, a, cat, END, ...filled(0)]]])
  t.strictSame(short.negative[0], [[END - 1, END, ...new Array(75).fill(END)]])
  t.match(short, { promptTokens: 2, negativeTokens: 0, chunks: 1 })

  const whole = of('a '.repeat(75))
  t.match(whole, { promptTokens: 75, chunks: 1 })
  t.strictSame(whole.prompt[0], [[END - 1, ...new Array(75).fill(a), END]])

  const long = of('a cat', `${'a '.repeat(75)}cat`)
  t.match(long, { promptTokens: 2, negativeTokens: 76, chunks: 2 })
  t.strictSame(long.negative[0]?.[1], [END - 1, cat, END, ...new Array(74).fill(END)])
  t.strictSame(
    long.prompt[0]?.[1],
    [END - 1, END, ...new Array(75).fill(END)],
    'the shorter one ends with an empty chunk'
  )
  t.strictSame(
    [...long.prompt, ...long.negative].map(chunks => chunks.length),
    [2, 2, 2, 2]
  )
})

t.test('what no model takes is refused, and the field named', async t => {
  const of = (prompt: string, negative: string) => () => {
    encodePicturePrompts([filledByEnd], { prompt, negative }, { chunksMax: 2 })
  }
  const refused = (param: string) => ({ code: 'context_length_exceeded', details: { param } })
  t.doesNotThrow(of('a '.repeat(150), ''))
  t.throws(of('a '.repeat(151), ''), { ...refused('prompt'), message: /151 tokens/ })
  t.throws(of('', 'a '.repeat(151)), refused('negative_prompt'))
  t.throws(of('a '.repeat(301), ''), { ...refused('prompt'), message: /more than 300 tokens/ })
  t.throws(of('a'.repeat(2401), ''), { ...refused('prompt'), message: /uncounted/ })
  t.throws(of('', ' '.repeat(2401)), { ...refused('negative_prompt'), message: /uncounted/ })
})

t.test('broken files are refused, saying which', async t => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
  const cases = [
    { files: { ...files, vocabulary: bytes('{') }, message: /vocab\.json is not JSON/ },
    { files: { ...files, vocabulary: bytes('[]') }, message: /vocab\.json/ },
    { files: { ...files, vocabulary: bytes('{"a":-1}') }, message: /vocab\.json/ },
    { files: { ...files, merges: bytes('#version: 0.2\na b c\n') }, message: /merges\.txt: pair 1/ },
    { files: { ...files, merges: bytes('#version: 0.2\na b\nab\n') }, message: /merges\.txt: pair 2/ },
    { files: { ...files, vocabulary: bytes('{"a":1}') }, message: /has no token/ },
    { files, tokens: { ...tokens, vocabularySize: 10 }, message: /only 10 ids/ }
  ]
  for (const { files: broken, message, ...other } of cases) {
    t.throws(() => createClipTokenizer(broken, 'tokens' in other ? other.tokens : tokens), {
      code: 'model_invalid',
      message
    })
  }
})

t.test('the tokenizers of a model are read from its blobs', async t => {
  const blobs = new Map([
    ['v', files.vocabulary],
    ['m', files.merges]
  ])
  const store = { read: async (sha256: string) => blobs.get(sha256) } as unknown as BlobStore
  const refs = (bytes: number) => ({ vocabulary: { sha256: 'v', bytes }, merges: { sha256: 'm', bytes: 1 } })
  const config = { textEncoders: [tokens, { ...tokens, padToken: 0 }] } as never
  const loaded = await loadClipTokenizers({ tokenizers: [refs(1), refs(1)], config }, store)
  t.strictSame(
    loaded.map(tokenizer => tokenizer.encode('!', 9)),
    [[256], [0]]
  )
  await t.rejects(loadClipTokenizers({ tokenizers: [refs(2 ** 27), refs(1)], config }, store), {
    code: 'model_invalid'
  })
  await t.rejects(loadClipTokenizers({ tokenizers: [refs(1)], config }, store), { code: 'model_invalid' })
})
