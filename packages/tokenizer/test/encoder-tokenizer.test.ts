import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { createEncoderTokenizer, createTokenizer, type EncoderTokenizer } from '../src/index.ts'

const fixtures = join(import.meta.dirname, '../../../model/test/fixtures')
const bytes = readFileSync(join(fixtures, 'tiny-encoder/tokenizer.json'))
const definition = JSON.parse(bytes.toString())
const vocabularySize = Object.keys(definition.model.vocab).length

/** Made by scripts/reference-embeddings.py, with the reference implementation. */
const reference: { hard: { text: string; ids: number[] }[]; texts: { text: string; ids: number[] }[] } = JSON.parse(
  readFileSync(join(fixtures, 'embeddings/tiny-encoder.json'), 'utf8')
)

function create(changes: object = {}, contextLength = 2048): EncoderTokenizer {
  const text = JSON.stringify({ ...definition, ...changes })
  return createEncoderTokenizer(new TextEncoder().encode(text), { vocabularySize, contextLength })
}

t.test('texts become the ids of the reference implementation', async t => {
  const tokenizer = create()
  for (const [index, { text, ids }] of reference.hard.entries()) {
    t.strictSame(tokenizer.encode(text), ids, `hard text ${index}`)
  }
  // vectors were made of texts cut to 40 tokens
  for (const { text, ids } of reference.texts) {
    t.strictSame(tokenizer.encode(text).slice(0, 39), ids.slice(0, 39), text.slice(0, 40))
  }
})

t.test('and those of the library, for any ASCII text', async t => {
  const library = new Tokenizer({ ...definition, added_tokens: [] }, {})
  const tokenizer = create({ added_tokens: [] })
  const property = fc.property(fc.string({ unit: 'binary-ascii', maxLength: 80 }), text => {
    return tokenizer.encode(text).join() === library.encode(text).ids.join()
  })
  t.doesNotThrow(() => assertProperty(property))
})

t.test('an input too long for the model is refused, however it is too long', async t => {
  const tokenizer = create({}, 8)
  t.equal(tokenizer.encode('the the the the the the').length, 8)
  t.throws(() => tokenizer.encode('the the the the the the the'), {
    code: 'context_length_exceeded',
    message: /9 tokens/
  })
  t.throws(() => tokenizer.encode('a'.repeat(257)), { code: 'context_length_exceeded', message: /uncounted/ })
  t.equal(tokenizer.frame([7, 8, 9, 10, 11, 12]).length, 8)
  t.throws(() => tokenizer.frame([7, 8, 9, 10, 11, 12, 13]), { code: 'context_length_exceeded' })
  t.throws(() => tokenizer.frame([vocabularySize]), { code: 'invalid_request', message: /the vocabulary has/ })
  t.strictSame(tokenizer.frame([7]), [2, 7, 3])
})

t.test('a word that no piece begins takes time in proportion to its length', async t => {
  const tokenizer = create({ model: { ...definition.model, max_input_chars_per_word: 1000 } }, 2_000_000)
  // a million characters; with the square of the words' lengths this would take the best part of an hour
  const words = Array(1000)
    .fill(`${'z'.repeat(999)}é京`)
    .join(' ')
  t.ok(tokenizer.encode(words).length > 1000)
})

t.test('settings of the normalizer are followed', async t => {
  const { normalizer } = definition
  const cased = create({ normalizer: { ...normalizer, lowercase: false } })
  t.strictSame(cased.encode('THE'), [2, 1, 3], 'capitals are not in the vocabulary')
  const accented = create({ normalizer: { ...normalizer, strip_accents: false } })
  t.strictSame(accented.encode('thé'), [2, 1, 3])
  const joined = create({ normalizer: { ...normalizer, handle_chinese_chars: false } })
  t.equal(joined.encode('東京').length, 3)
  t.equal(create().encode('東京').length, 4)
  const framed = create({ post_processor: { type: 'BertProcessing', cls: ['[CLS]', 2], sep: ['[SEP]', 3] } })
  t.strictSame(framed.encode('the'), create().encode('the'))
})

t.test('what is no WordPiece tokenizer of this model is refused', async t => {
  const { model } = definition
  const cases: Record<string, [object, RegExp]> = {
    'another kind': [{ model: { type: 'BPE', vocab: {}, merges: [] } }, /WordPiece/],
    'another normalizer': [{ normalizer: { type: 'NFC' } }, /normalizer/],
    'no normalizer': [{ normalizer: null }, /normalizer/],
    'another way to cut': [{ pre_tokenizer: { type: 'Whitespace' } }, /pre_tokenizer/],
    'no frame': [{ post_processor: null }, /post_processor/],
    'ids beyond the model': [{ model: { ...model, vocab: { ...model.vocab, more: 9999 } } }, /id 9999/],
    'added ids beyond the model': [{ added_tokens: [{ id: 9999, content: '<x>' }] }, /id 9999/],
    'no unknown token': [{ model: { ...model, unk_token: '[NOPE]' } }, /lacks "\[NOPE\]"/]
  }
  for (const [name, [changes, message]] of Object.entries(cases)) {
    t.throws(() => create(changes), { code: 'model_invalid', message }, name)
  }
  t.throws(() => createEncoderTokenizer(new Uint8Array([1]), { vocabularySize, contextLength: 8 }), {
    code: 'model_invalid'
  })
  const files = { definition: bytes, config: new TextEncoder().encode('{}'), endTokenIds: [] }
  t.throws(() => createTokenizer(files, { vocabularySize, contextLength: 8 }), {
    code: 'model_invalid',
    message: /needs a byte-pair/
  })
})

t.test('tokens become text again, without those that frame it', async t => {
  const vocab = [
    '[CLS]',
    '[SEP]',
    '[UNK]',
    'it',
    "'",
    's',
    'my',
    'dog',
    '##s',
    ',',
    'don',
    't',
    'who',
    '?',
    '.',
    '##ing'
  ]
  const tokenizer = create({
    model: { type: 'WordPiece', vocab: Object.fromEntries(vocab.map((piece, id) => [piece, id])), unk_token: '[UNK]' },
    added_tokens: ['[CLS]', '[SEP]', '[UNK]'].map((content, id) => ({ id, content, special: true })),
    post_processor: { type: 'BertProcessing', cls: ['[CLS]', 0], sep: ['[SEP]', 1] }
  })
  // as transformers 4.45.2 writes them
  const cases = [
    { ids: [0, 3, 4, 5, 6, 7, 8, 9, 12, 13, 1], text: "it's my dogs, who?" },
    { ids: [10, 4, 11, 7, 15, 14], text: "don't doging." },
    { ids: [15, 7, 2, 7], text: '##ing dog dog' },
    { ids: [0, 1, 9999], text: '' }
  ]
  for (const { ids, text } of cases) t.equal(tokenizer.decode(ids), text)
})
