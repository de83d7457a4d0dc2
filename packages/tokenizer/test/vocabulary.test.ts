import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import {
  buildVocabularyTrie,
  createTokenizer,
  loadVocabulary,
  readVocabulary,
  type VocabularyTrie
} from '../src/index.ts'
import { tinyChatManifest } from './vocabulary-fixtures.ts'

const modelDir = join(import.meta.dirname, '../../../model/models/tiny-chat')
const definitionPath = join(modelDir, 'tokenizer.json')
const definition = readFileSync(definitionPath)
const SIZE = 768

/** The bytes of each token, read back out of the tree. */
function spellings({ byte, depth, behind, tokensAt, tokens }: VocabularyTrie): Map<number, string> {
  const found = new Map<number, string>()
  const path: number[] = []
  for (let node = 0; node < byte.length; node++) {
    path.length = (depth[node] ?? 1) - 1
    path.push(byte[node] ?? 0)
    for (let at = tokensAt[node] ?? 0; at < (tokensAt[node + 1] ?? 0); at++) {
      found.set(tokens[at] ?? 0, Buffer.from(path).toString('hex'))
    }
    const next = behind[node] ?? 0
    // whatever is below comes before what is behind, and is deeper
    const below = depth.subarray(node + 1, next)
    if (next <= node || below.some(level => level <= (depth[node] ?? 0))) throw new Error(`node ${node}`)
  }
  return found
}

t.test('the tree holds every spelling, and nothing else', async () => {
  const bytes = fc.option(fc.uint8Array({ maxLength: 5, max: 3 }), { nil: undefined })
  const property = fc.property(fc.array(bytes, { maxLength: 40 }), list => {
    const expected = new Map(
      list.flatMap((one, id) => (one === undefined || one.length === 0 ? [] : [[id, Buffer.from(one).toString('hex')]]))
    )
    const found = spellings(buildVocabularyTrie(list))
    return found.size === expected.size && [...expected].every(([id, hex]) => found.get(Number(id)) === hex)
  })
  assertProperty(property)
})

t.test('a vocabulary spells what the tokenizer decodes', async t => {
  const { trie, leadingSpaces } = readVocabulary(definition, SIZE)
  const files = { definition, config: readFileSync(join(modelDir, 'tokenizer_config.json')), endTokenIds: [6] }
  const tokenizer = createTokenizer(files, { vocabularySize: SIZE, contextLength: 512 })
  const found = spellings(trie)
  const text = 'The größe of {"Paris": [1, 2]}\n'
  const bytes = tokenizer.encode(text).map(id => Buffer.from(found.get(id) ?? '', 'hex'))
  t.equal(Buffer.concat(bytes).toString(), text)
  t.equal(leadingSpaces, 0)
  t.equal(found.get(6), `ff${Buffer.from('<|end|>').toString('hex')}`, 'special tokens write what no text has')
  t.notOk(
    [...found].some(([id, hex]) => id > 6 && hex.includes('ff')),
    'and nothing else does'
  )
})

t.test('a thread reads the same', async t => {
  const manifest = tinyChatManifest(definition.length)
  t.strictSame(await loadVocabulary(manifest, definitionPath), readVocabulary(definition, SIZE))
  await t.rejects(loadVocabulary(manifest, join(modelDir, 'config.json')), { code: 'model_invalid' })
  await t.rejects(loadVocabulary(manifest, join(modelDir, 'nothing.json')), { code: 'model_invalid' })
  await t.rejects(loadVocabulary(tinyChatManifest(2 ** 30), definitionPath), { code: 'model_invalid' })
  const signal = AbortSignal.abort(new Error('no more'))
  await t.rejects(loadVocabulary(manifest, definitionPath, { signal }), { message: 'no more' })
})
