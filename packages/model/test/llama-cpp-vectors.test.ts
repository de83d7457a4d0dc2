import { existsSync, globSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { createTokenizer } from '@resultity/tokenizer'
import t from 'tap'
import { readTokenizerFiles } from '../src/index.ts'

/** Where `npm run bench -- llama.cpp` keeps the sources; their vocabularies have texts with the ids that llama.cpp gives. */
const sources = process.env.RESULTITY_TEST_LLAMA_CPP ?? join(homedir(), '.cache/resultity-bench/llama.cpp-*/sources')
const SEPARATOR = '\n__ggml_vocab_test__\n'

/** Vocabularies of models that are not served, each with what its refusal has to name. */
const refused: Readonly<Record<string, RegExp>> = {
  'bert-bge': /tokenizer\.ggml\.model is "bert"/,
  'gemma-4': /tokenizer\.ggml\.model is "gemma4"/,
  'deepseek-llm': /tokenizer\.ggml\.pre is "deepseek-llm"/,
  falcon: /tokenizer\.ggml\.pre is "falcon"/
}

const paths = globSync(join(sources, 'models/ggml-vocab-*.gguf')).filter(path => existsSync(`${path}.inp`))
const skip =
  paths.length === 0
    ? `NOT TESTED: the tokenizers beside llama.cpp's own, whose sources are not in ${sources}: npm run bench -- llama.cpp`
    : false

t.test('tokenizers give the ids of llama.cpp', { skip }, async t => {
  for (const path of paths.toSorted()) {
    const name = basename(path, '.gguf').replace('ggml-vocab-', '')
    await t.test(name, async t => {
      const reason = refused[name]
      if (reason !== undefined) {
        await t.rejects(readTokenizerFiles(path), { code: 'model_invalid', message: reason })
        return
      }
      const files = await readTokenizerFiles(path)
      const tokenizer = createTokenizer(files, { vocabularySize: 1_000_000, contextLength: 100_000 })
      const texts = readFileSync(`${path}.inp`, 'utf8').split(SEPARATOR)
      // the last text is followed by a separator too
      if (texts.at(-1) === '') texts.pop()
      const lines = readFileSync(`${path}.out`, 'utf8').replace(/\n$/, '').split('\n')
      t.equal(texts.length, lines.length, 'a line of ids for each text')
      const wanted = lines.map(line => line.split(' ').filter(Boolean).map(Number))
      t.strictSame(
        texts.map(text => tokenizer.encode(text, { specialTokens: 'text' })),
        wanted
      )
    })
  }
})
