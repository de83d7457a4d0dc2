import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { isBark, kindOf, requireVoice, tokenizerFilesOf, weightFiles } from '@resultity/interface'
import t, { type Test } from 'tap'
import { importModel, parseModelReference } from '../src/index.ts'
import { fetchFromHub } from '../src/sources/hub.ts'
import { startFakeHub } from './sources-fixtures.ts'

const fixture = join(import.meta.dirname, '../../../voice/test/fixtures/tiny-bark')

async function folderFor(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'bark-import-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

async function filesOf(folder: string): Promise<Record<string, Uint8Array>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter(entry => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  return Object.fromEntries(await Promise.all(paths.map(async path => [relative(folder, path), await readFile(path)])))
}

t.test('a folder is imported, and its checkpoint, its tokenizer and its voices are in the store', async t => {
  const dataDir = await folderFor(t)
  await using store = await FileBlobStore.open(dataDir)
  const folder = join(dataDir, 'tiny-bark')
  await cp(fixture, folder, { recursive: true })
  const reference = parseModelReference(`file:${folder}`)
  const { manifest, manifestSha256 } = await importModel(reference, { dataDir, store })
  if (!isBark(manifest)) throw new Error(`${manifest.architecture} is no Bark`)
  t.equal(kindOf(manifest), 'says texts')
  t.equal(requireVoice(manifest), manifest)
  t.equal(manifest.layers.length, 10)
  for (const { sha256, bytes } of [...weightFiles(manifest), ...tokenizerFilesOf(manifest)]) {
    t.equal((await store.read(sha256)).length, bytes)
  }
  t.equal((await importModel(reference, { dataDir, store })).manifestSha256, manifestSha256)
  await rm(join(folder, 'speaker_embeddings/v2/de_speaker_1_fine_prompt.npy'))
  await t.rejects(importModel(reference, { dataDir, store }), {
    code: 'model_invalid',
    message: /de_speaker_1: has no fine prompt/
  })
})

t.test('of a repository, what says what it is comes first, then voices of the second edition, and weights', async t => {
  const directory = await folderFor(t)
  const bytes = new Uint8Array(16)
  await using hub = await startFakeHub('a/bark', {
    ...(await filesOf(fixture)),
    'README.md': Buffer.from('---\nlicense: mit\n---\n'),
    'vocab.txt': bytes,
    'speaker_embeddings/en_speaker_9_fine_prompt.npy': bytes,
    'speaker_embeddings/v2/prompts.txt': bytes
  })
  const source = { repo: 'a/bark', file: undefined }
  const { path } = await fetchFromHub(source, { directory, hubUrl: hub.url, retryMs: 1 })
  const fetched = Object.keys(await filesOf(path)).filter(name => !name.startsWith('.'))
  t.strictSame(fetched.toSorted(), [
    'README.md',
    'config.json',
    'generation_config.json',
    'pytorch_model.bin',
    ...['de_speaker_1', 'en_speaker_0'].flatMap(name =>
      ['coarse', 'fine', 'semantic'].map(kind => `speaker_embeddings/v2/${name}_${kind}_prompt.npy`)
    ),
    'tokenizer.json',
    'tokenizer_config.json'
  ])
  const dataDir = await folderFor(t)
  await using store = await FileBlobStore.open(dataDir)
  const { manifest } = await importModel(parseModelReference(`file:${path}`), { dataDir, store })
  t.match(manifest.config, { license: 'mit', speakers: { 'v2/de_speaker_1': 0, 'v2/en_speaker_0': 1 } })
})

t.test('a repository with such a folder that is no Bark is refused before its weights are fetched', async t => {
  const files = { ...(await filesOf(fixture)), 'config.json': Buffer.from('{"model_type":"other"}') }
  await using hub = await startFakeHub('a/other', files)
  const fetched = fetchFromHub(
    { repo: 'a/other', file: undefined },
    { directory: await folderFor(t), hubUrl: hub.url, retryMs: 1 }
  )
  await t.rejects(fetched, { code: 'model_invalid', message: /no Bark/ })
  t.notOk(
    hub.requests.some(request => String(Reflect.get(Object(request), 'url') ?? request).includes('pytorch_model'))
  )
})
