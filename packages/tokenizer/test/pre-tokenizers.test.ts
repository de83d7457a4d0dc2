import t from 'tap'
import { createTokenizer, tokenizerFilesFromGguf } from '../src/index.ts'
import { byteLevelMetadata } from './tokenizer-fixtures.ts'

t.test('a GGUF of Phi 4-mini cuts words before capital letters and keeps their endings', t => {
  const merges = ['i t', "it '", "it' s", 'a B', 'B a', '1 2', '12 3', '123 4']
  const metadata = byteLevelMetadata()
  const tokens = metadata['tokenizer.ggml.tokens']
  const letters = Array.isArray(tokens) ? tokens.slice(0, 259) : []
  const all = [...letters, ...merges.map(pair => pair.replace(' ', ''))]
  const split = (pre: string, text: string): string[] => {
    const files = tokenizerFilesFromGguf({
      ...metadata,
      'tokenizer.ggml.pre': pre,
      'tokenizer.ggml.tokens': all,
      'tokenizer.ggml.token_type': all.map((_, id) => (id < 3 ? 3 : 1)),
      'tokenizer.ggml.merges': merges
    })
    return createTokenizer(files, { vocabularySize: 1024, contextLength: 4096 })
      .encode(text)
      .map(id => String(all[id]))
  }
  t.strictSame(split('gpt-4o', "it's"), ["it's"])
  t.strictSame(split('gpt-4o', 'aBa'), ['a', 'Ba'])
  t.strictSame(split('gpt-4o', '1234'), ['123', '4'])
  t.strictSame(split('tekken', "it's"), ['it', "'", 's'])
  t.strictSame(split('gpt-2', 'aBa1234'), ['aB', 'a', '1234'])
  t.end()
})
