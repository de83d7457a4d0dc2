import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FileBlobStore } from '@resultity/blobs'
import { requireCaptioner, weightFiles } from '@resultity/interface'
import t from 'tap'
import { importModel, parseModelReference } from '../src/index.ts'
import { chooseHubFiles } from '../src/sources/hub-files.ts'

const folder = (name: string) => fileURLToPath(new URL(`../../../blip/test/fixtures/${name}`, import.meta.url))

const dataDir = await mkdtemp(join(tmpdir(), 'blip-import-'))
const store = await FileBlobStore.open(join(dataDir, 'blobs'))
t.teardown(async () => {
  await store[Symbol.asyncDispose]()
  await rm(dataDir, { recursive: true, force: true })
})

const imported = async (path: string) => await importModel(parseModelReference(`file:${path}`), { dataDir, store })

t.test('folders of both kinds are imported, once and under their names', async t => {
  for (const [name, task, files] of [
    ['tiny-captioner', 'caption', 1 + 2 + 3],
    ['tiny-answerer', 'answer', 1 + 2 + 3 + 3]
  ] as const) {
    const { manifest, manifestSha256 } = await imported(folder(name))
    t.equal(manifest.name, name)
    t.equal(requireCaptioner(manifest).config.task, task)
    t.equal(weightFiles(manifest).length, files)
    t.equal((await imported(folder(name))).manifestSha256, manifestSha256)
  }
})

t.test('one whose tokenizer cannot be read, or which writes nothing, is refused', async t => {
  const copy = join(dataDir, 'changed')
  await cp(folder('tiny-captioner'), copy, { recursive: true })
  const tokenizer = join(copy, 'tokenizer.json')
  const whole = await readFile(tokenizer, 'utf8')
  await writeFile(tokenizer, JSON.stringify({ ...JSON.parse(whole), pre_tokenizer: null }))
  await t.rejects(imported(copy), { code: 'model_invalid' })
  await writeFile(tokenizer, whole)
  const weights = join(copy, 'model.safetensors')
  const renamed = (await readFile(weights)).toString('latin1').replaceAll('text_decoder.', 'text_dropped.')
  await writeFile(weights, Buffer.from(renamed, 'latin1'))
  await t.rejects(imported(copy), { code: 'model_invalid', message: /nothing that writes/ })
})

t.test('of a repository, how pictures are prepared is taken too', async t => {
  const names = ['config.json', 'model.safetensors', 'preprocessor_config.json', 'tokenizer.json', 'tf_model.h5']
  const { files } = chooseHubFiles(
    'a/blip',
    names.map(path => ({ type: 'file', path, size: 1 })),
    undefined
  )
  t.same(files.map(({ path }) => path).toSorted(), names.slice(0, 4))
})
