import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type BlobStore, type ClipTextConfig, type DiffusionManifest, PROMPT_CHUNKS_MAX } from '@resultity/interface'
import t from 'tap'
import { encodePicturePrompts, loadClipTokenizers, PicturePromptEncoder } from '../src/index.ts'

const folder = new URL('../../../diffusion-model/test/fixtures/tiny-sd/tokenizer/', import.meta.url)
const vocabulary: Record<string, number> = JSON.parse(readFileSync(new URL('vocab.json', folder), 'utf8'))
const endToken = vocabulary['<|endoftext|>'] ?? 0
const encoder = {
  vocabularySize: Object.keys(vocabulary).length,
  length: 77,
  beginToken: vocabulary['<|startoftext|>'],
  endToken,
  padToken: endToken
} as ClipTextConfig
const manifest = {
  name: 'tiny-sd',
  tokenizers: [{ vocabulary: { sha256: 'vocab.json', bytes: 1 }, merges: { sha256: 'merges.txt', bytes: 1 } }],
  config: { textEncoders: [encoder] }
} as unknown as DiffusionManifest
const pathOf = (sha256: string): string => fileURLToPath(new URL(sha256, folder))
const store = {
  find: async (sha256: string) => pathOf(sha256),
  read: async (sha256: string) => readFileSync(pathOf(sha256))
} as unknown as BlobStore

const tokenizers = await loadClipTokenizers(manifest, store)
const expected = (prompt: string, negative: string) =>
  encodePicturePrompts(tokenizers, { prompt, negative }, { chunksMax: PROMPT_CHUNKS_MAX })

t.test('texts are the same tokens, at once or in the thread', async t => {
  await using prompts = await PicturePromptEncoder.open(manifest, store)
  for (const [prompt, negative] of [
    ['a cat', ''],
    ['ab '.repeat(500), 'dogs'],
    ['', 'x'.repeat(1100)]
  ] as const) {
    t.strictSame(await prompts.encode({ prompt, negative }), expected(prompt, negative))
  }
})

t.test('what is too long is refused by its name, wherever it was read', async t => {
  await using prompts = await PicturePromptEncoder.open(manifest, store)
  const refused = { code: 'context_length_exceeded', details: { param: 'negative_prompt' } }
  for (const negative of ['x '.repeat(16_000), 'x'.repeat(19_200)]) {
    await t.rejects(prompts.encode({ prompt: 'a', negative }), refused)
  }
  await t.rejects(prompts.encode({ prompt: 'word '.repeat(10_000), negative: '' }), {
    code: 'context_length_exceeded',
    details: { param: 'prompt' }
  })
})

t.test('files that are gone are told of', async t => {
  const empty = { ...store, find: async () => undefined }
  await t.rejects(PicturePromptEncoder.open(manifest, empty), { code: 'blob_not_found' })
})
