import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hardTexts } from '@resultity/test-property'
import t from 'tap'
import { BYTE_LEVEL_ALPHABET } from '../src/byte-level-alphabet.ts'
import { hasNestedRepeats } from '../src/endless-patterns.ts'
import { createTokenizer, type ModelTokenizer, tokenizerFilesFromGguf } from '../src/index.ts'
import { preTokenizerKind } from '../src/tokenizer-pre-tokenizers.ts'
import { tinyChatDirectory } from './tokenizer-fixtures.ts'

const limits = { vocabularySize: 4096, contextLength: 1_000_000 }
const CHARACTERS = 1500
const TIMES = 4

/** How often `work` looks something up: merges, and tokens by their names. Time says nothing on a busy machine. */
function lookUps(work: () => void): number {
  const { get } = Map.prototype
  let count = 0
  Map.prototype.get = function (this: Map<unknown, unknown>, key: unknown): unknown {
    count++
    return get.call(this, key)
  }
  try {
    work()
  } finally {
    Map.prototype.get = get
  }
  return count
}

/** A byte-level vocabulary with merges for the runs that are tried. */
function byteLevel(pre: string): ModelTokenizer {
  const tokens = [...BYTE_LEVEL_ALPHABET, 'aa', 'aaaa', 'aaaaaaaa', 'ab', 'ĠĠ', 'ĠĠĠĠ', '00', 'ÌģÌģ', 'Ìģ']
  const merges = ['a a', 'aa aa', 'aaaa aaaa', 'a b', 'Ġ Ġ', 'ĠĠ ĠĠ', '0 0', 'Ì ģ', 'Ìģ Ìģ']
  const files = tokenizerFilesFromGguf({
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': pre,
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.merges': merges
  })
  return createTokenizer(files, limits)
}

const sentencePiece = (): ModelTokenizer =>
  createTokenizer(
    {
      definition: readFileSync(join(tinyChatDirectory, 'tokenizer.json')),
      config: readFileSync(join(tinyChatDirectory, 'tokenizer_config.json')),
      endTokenIds: []
    },
    limits
  )

const kinds = ['default', 'gpt-2', 'smollm', 'qwen2', 'llama-bpe', 'deepseek-coder', 'tekken']
const makers: Record<string, () => ModelTokenizer> = {
  'a vocabulary that cuts no words': sentencePiece,
  ...Object.fromEntries(kinds.map(kind => [kind, () => byteLevel(kind)]))
}
for (const [name, make] of Object.entries(makers)) {
  t.test(`${name}: four times the text is about four times the work`, async t => {
    for (const text of hardTexts) {
      const [short, long] = [text.slice(0, CHARACTERS), text.repeat(TIMES).slice(0, TIMES * CHARACTERS)]
      // each its own, as words that were met are remembered
      const [one, other] = [make(), make()]
      const [few, many] = [lookUps(() => one.encode(short)), lookUps(() => other.encode(long))]
      t.ok(many <= 1.5 * TIMES * few + 100, `${JSON.stringify(text.slice(0, 4))}: ${few} and ${many}`)
      t.equal(other.decode(other.encode(long)).length > 0 || long.startsWith('\ufdd0'), true)
    }
  })
}

t.test('a pattern that repeats what repeats is refused', async t => {
  for (const pattern of ['(a+)+$', '(?:a*)*', '((?:a|b+)c)*', '([ab]{2,})+', '(?:x(?:y(?:z+)))*', '(a{1,}b?){3,}']) {
    t.equal(hasNestedRepeats(pattern), true, pattern)
  }
  const published = kinds.flatMap(kind => preTokenizerKind(kind).patterns)
  for (const pattern of [
    ...published,
    '(a+|b)?',
    '[(a+)+]+',
    '\\(a+\\)+',
    '(?:ab){2,4}c+',
    '(?!a+)b+',
    "(?i:'s|'t)|\\p{L}+"
  ]) {
    t.equal(hasNestedRepeats(pattern), false, pattern)
  }
  const definition = JSON.parse(readFileSync(join(tinyChatDirectory, 'tokenizer.json'), 'utf8'))
  const step = { type: 'Split', pattern: { Regex: '(\\w+)+$' }, behavior: 'Isolated', invert: false }
  const bytes = new TextEncoder().encode(JSON.stringify({ ...definition, pre_tokenizer: step }))
  const config = readFileSync(join(tinyChatDirectory, 'tokenizer_config.json'))
  t.throws(() => createTokenizer({ definition: bytes, config, endTokenIds: [] }, limits), {
    code: 'model_invalid',
    message: /Split/
  })
})
