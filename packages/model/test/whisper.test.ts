import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FileBlobStore } from '@resultity/blobs'
import { requireSpeech, weightFiles } from '@resultity/interface'
import t from 'tap'
import { convertModel, importModel, parseModelReference, readTokenizerFiles } from '../src/index.ts'
import { chooseHubFiles } from '../src/sources/hub-files.ts'

const folder = (name: string) => fileURLToPath(new URL(`../../../whisper/test/fixtures/${name}`, import.meta.url))

const dataDir = await mkdtemp(join(tmpdir(), 'whisper-import-'))
const store = await FileBlobStore.open(dataDir)
t.teardown(async () => {
  await store[Symbol.asyncDispose]()
  await rm(dataDir, { recursive: true, force: true })
})

t.test('a folder of either format is imported as the same model', async t => {
  const convert = async (path: string) => {
    const tokenizerFiles = await readTokenizerFiles(path)
    return await convertModel(path, { store, name: 'tiny', tokenizerFiles })
  }
  const hub = await convert(folder('tiny-whisper'))
  const ct2 = await convert(folder('tiny-whisper-ct2'))
  t.equal(ct2.manifestSha256, hub.manifestSha256)
  const manifest = requireSpeech(hub.manifest)
  t.equal(manifest.layers.length, 5)
  t.equal(weightFiles(manifest).length, 6)
  t.same(manifest.tokenizer.endTokenIds, [300])
})

t.test('it is imported once, under the name of its folder', async t => {
  const reference = parseModelReference(`file:${folder('tiny-whisper-ct2')}`)
  const first = await importModel(reference, { dataDir, store })
  t.equal(first.manifest.name, 'tiny-whisper-ct2')
  const again = await importModel(reference, { dataDir, store })
  t.equal(again.manifestSha256, first.manifestSha256)
})

t.test('of a repository of a converted model, its weights and what goes with them are taken', async t => {
  const files = (...names: string[]) => names.map(path => ({ type: 'file', path, size: 1 }))
  const converted = files('README.md', 'config.json', 'model.bin', 'tokenizer.json', 'vocabulary.txt')
  const chosen = chooseHubFiles('a/whisper', converted, undefined)
  t.same(chosen.files.map(({ path }) => path).toSorted(), ['config.json', 'model.bin', 'tokenizer.json'])
  const both = chooseHubFiles('a/whisper', [...converted, ...files('model.safetensors')], undefined)
  t.notOk(
    both.files.some(({ path }) => path === 'model.bin'),
    'safetensors go before'
  )
  t.throws(() => chooseHubFiles('a/whisper', files('config.json', 'pytorch_model.bin'), undefined), {
    code: 'model_not_found'
  })
})
