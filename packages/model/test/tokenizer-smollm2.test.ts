import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MeshError } from '@resultity/interface'
import { createTokenizer, type ModelTokenizer } from '@resultity/tokenizer'
import t from 'tap'
import { DEFAULT_MODEL, fetchModel, readTokenizerFiles } from '../src/index.ts'

interface TokenizerVector {
  readonly text: string
  readonly ids: readonly number[]
  readonly decoded: string
}

async function readSmollm2Vectors(): Promise<TokenizerVector[]> {
  return JSON.parse(await readFile(new URL('../../test/fixtures/tokenizer/smollm2.json', import.meta.url), 'utf8'))
}

/** Kept between runs, because the model is a download of 90 MB. */
const dataDir =
  process.env.RESULTITY_TEST_DATA ?? join(fileURLToPath(new URL('../../../../', import.meta.url)), 'data', 'test')

async function smollm2(): Promise<ModelTokenizer | string> {
  try {
    const { path } = await fetchModel({ kind: 'catalogue', name: DEFAULT_MODEL }, { dataDir })
    return createTokenizer(await readTokenizerFiles(path), { vocabularySize: 49_152, contextLength: 8192 })
  } catch (error) {
    if (error instanceof MeshError && error.code === 'model_unavailable') return error.message
    throw error
  }
}

const tokenizer = await smollm2()

t.test('SmolLM2', { skip: typeof tokenizer === 'string' ? tokenizer : false }, async t => {
  if (typeof tokenizer === 'string') return
  t.test('ids and text are those of the reference implementation', async t => {
    for (const [index, { text, ids, decoded }] of (await readSmollm2Vectors()).entries()) {
      t.strictSame(tokenizer.encode(text), ids, `ids of text ${index}`)
      t.equal(tokenizer.decode(ids), decoded, `text ${index} again`)
    }
  })
  t.test('a chat is written in its template and ends where its turns end', async t => {
    const messages = [{ role: 'user' as const, content: 'Hi' }]
    const system = 'You are a helpful AI assistant named SmolLM, trained by Hugging Face'
    const prompt = `<|im_start|>system\n${system}<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n`
    t.equal(tokenizer.applyChatTemplate(messages), prompt)
    t.strictSame(tokenizer.encodeChat(messages), tokenizer.encode(prompt))
    t.ok(tokenizer.endTokenIds.has(2), '<|im_end|>')
  })
})
