import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { isDiffusion, kindOf, partFiles, requireDiffusion, requireVoice, tokenizerFilesOf } from '@resultity/interface'
import t, { type Test } from 'tap'
import { convertModel, importModel, parseModelReference } from '../src/index.ts'
import { fetchFromHub } from '../src/sources/hub.ts'
import { startFakeHub } from './sources-fixtures.ts'

const fixtures = join(import.meta.dirname, '../../../diffusion-model/test/fixtures')

const dataDir = await mkdtemp(join(tmpdir(), 'diffusion-import-'))
const store = await FileBlobStore.open(dataDir)
t.teardown(async () => {
  await store[Symbol.asyncDispose]()
  await rm(dataDir, { recursive: true, force: true })
})

async function copyOf(t: Test, name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'diffusion-folder-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const folder = join(directory, name)
  await cp(join(fixtures, name), folder, { recursive: true })
  return folder
}

const convert = (path: string) => convertModel(path, { store, name: 'tiny' })

/** Writes a JSON file of a folder anew. */
async function change(path: string, fields: Readonly<Record<string, unknown>>): Promise<void> {
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...fields }))
}

t.test('a folder is imported once, under its name, with the files of each component apart', async t => {
  const folder = await copyOf(t, 'tiny-xl')
  const reference = parseModelReference(`file:${folder}`)
  const first = await importModel(reference, { dataDir, store })
  const manifest = requireDiffusion(first.manifest)
  t.equal(manifest.name, 'tiny-xl')
  t.ok(isDiffusion(manifest))
  t.equal(kindOf(manifest), 'draws pictures')
  t.throws(() => requireVoice(manifest), { code: 'invalid_request', message: /tiny-xl draws pictures/ })
  const files = partFiles(manifest)
  t.equal(files.textEncoders.length, 2)
  const names = files.denoiser.map(({ tensors }) => tensors[0]?.name.split('.').slice(0, 2).join('.'))
  t.same([...new Set(names)].length >= 8, true, `a file for each resolution: ${names}`)
  t.equal(
    [...files.textEncoders.flat(), ...files.denoiser, ...files.decoder, ...files.encoder].length,
    manifest.layers.length
  )
  for (const { sha256, bytes } of tokenizerFilesOf(manifest)) t.equal((await store.read(sha256)).length, bytes)
  const again = await importModel(reference, { dataDir, store })
  t.equal(again.manifestSha256, first.manifestSha256)

  await change(join(folder, 'scheduler/scheduler_config.json'), { prediction_type: 'v_prediction' })
  const changed = await importModel(reference, { dataDir, store })
  t.equal(
    requireDiffusion(changed.manifest).config.schedule.prediction,
    'v_prediction',
    'a file deep in it was changed'
  )
})

t.test('names, shards, precisions and tokenizers of other publishers make the same model', async t => {
  const { manifestSha256 } = await convert(join(fixtures, 'tiny-sd'))
  const folder = await copyOf(t, 'tiny-sd')
  const unet = join(folder, 'unet')
  const half = 'diffusion_pytorch_model.fp16.safetensors'
  await rename(join(unet, 'diffusion_pytorch_model.safetensors'), join(unet, half))
  await writeFile(join(unet, 'diffusion_pytorch_model.safetensors'), 'of full precision, not to be read')
  t.equal((await convert(folder)).manifestSha256, manifestSha256, 'half precision goes before')
  await rename(join(unet, half), join(unet, 'diffusion_pytorch_model.fp16-00001-of-00001.safetensors'))
  t.equal((await convert(folder)).manifestSha256, manifestSha256, 'shards are known by their numbers')

  const tokenizer = join(folder, 'tokenizer')
  const vocab = JSON.parse(await readFile(join(tokenizer, 'vocab.json'), 'utf8'))
  const [, ...merges] = (await readFile(join(tokenizer, 'merges.txt'), 'utf8')).trim().split('\n')
  await writeFile(join(tokenizer, 'tokenizer.json'), JSON.stringify({ model: { type: 'BPE', vocab, merges } }))
  await rm(join(tokenizer, 'merges.txt'))
  const { manifest } = await convert(folder)
  const [blobs] = requireDiffusion(manifest).tokenizers
  const written = new TextDecoder().decode(await store.read(blobs?.merges.sha256 ?? ''))
  t.equal(written, `#version: 0.2\n${merges.join('\n')}\n`)
})

t.test('weights that are pickled, incomplete or of another model are refused', async t => {
  const folder = await copyOf(t, 'tiny-sd2')
  const unet = join(folder, 'unet')
  const [first = '', second = ''] = (await readdir(unet)).filter(name => name.endsWith('.safetensors')).toSorted()
  await rename(join(unet, second), join(folder, second))
  await t.rejects(convert(folder), { code: 'model_invalid', message: new RegExp(`lacks ${second}`) })
  await rm(join(unet, first))
  await writeFile(join(unet, 'diffusion_pytorch_model.bin'), 'a pickle')
  await t.rejects(convert(folder), { code: 'model_invalid', message: /unet: has its weights as a pickle only/ })
  await cp(
    join(fixtures, 'tiny-sd/unet/diffusion_pytorch_model.safetensors'),
    join(unet, `diffusion_pytorch_model.safetensors`)
  )
  await t.rejects(convert(folder), { code: 'model_invalid', message: /tensor "[^"]+" is (missing|\d+ × \d+)/ })
})

async function filesOf(name: string): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {}
  const folder = join(fixtures, name)
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) files[path.slice(folder.length + 1)] = await readFile(path)
  }
  return files
}

t.test('of a repository, the components that are served are fetched, and what says what they are before', async t => {
  const bytes = new Uint8Array(16)
  const repository: Record<string, Uint8Array> = {
    ...(await filesOf('tiny-xl')),
    'README.md': bytes,
    'sd_xl_base.safetensors': bytes,
    'unet/diffusion_pytorch_model.safetensors': bytes,
    'unet/model.onnx': bytes,
    'safety_checker/model.safetensors': bytes
  }
  await using hub = await startFakeHub('a/painter', repository)
  const directory = await mkdtemp(join(tmpdir(), 'diffusion-hub-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const source = { repo: 'a/painter', file: undefined }
  const options = { directory, hubUrl: hub.url, retryMs: 1 }
  const { path } = await fetchFromHub(source, options)
  t.same((await readdir(path)).filter(name => !name.startsWith('.')).toSorted(), [
    'model_index.json',
    'scheduler',
    'text_encoder',
    'text_encoder_2',
    'tokenizer',
    'tokenizer_2',
    'unet',
    'vae'
  ])
  t.same((await readdir(join(path, 'unet'))).toSorted(), ['config.json', 'diffusion_pytorch_model.fp16.safetensors'])
  const converted = await convert(path)
  t.equal(converted.manifestSha256, (await convert(join(fixtures, 'tiny-xl'))).manifestSha256)
  const requests = hub.requests.length
  t.equal((await fetchFromHub(source, options)).path, path, 'and it is not fetched again')
  t.equal(hub.requests.length, requests)
})

const PRIOR = 'prior_'

/** The combined folder of a Kandinsky as its publisher has it: what draws, and its prior. */
async function kandinskyRepositories(card: string): Promise<Record<'decoder' | 'prior', Record<string, Uint8Array>>> {
  const files = Object.entries(await filesOf('tiny-kandinsky'))
  const own = files.filter(([path]) => !path.startsWith(PRIOR))
  const prior = files.filter(([path]) => path.startsWith(PRIOR))
  const encoder = new TextEncoder()
  const index = encoder.encode(JSON.stringify({ _class_name: 'KandinskyV22Pipeline' }))
  return {
    decoder: { ...Object.fromEntries(own), 'model_index.json': index, 'README.md': encoder.encode(card) },
    prior: {
      ...Object.fromEntries(prior.map(([path, bytes]) => [path.slice(PRIOR.length), bytes])),
      'model_index.json': encoder.encode(JSON.stringify({ _class_name: 'KandinskyV22PriorPipeline' }))
    }
  }
}

t.test('a model whose prior is another repository is fetched of both, as one folder', async t => {
  const { decoder, prior } = await kandinskyRepositories(
    '---\nlicense: apache-2.0\nprior:\n- a/prior\ntags:\n- b/c\n---\n# A card\n'
  )
  await using hub = await startFakeHub('a/decoder', decoder, { others: { 'a/prior': prior } })
  const directory = await mkdtemp(join(tmpdir(), 'diffusion-hub-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const source = { repo: 'a/decoder', file: undefined }
  const options = { directory, hubUrl: hub.url, retryMs: 1 }
  const { path } = await fetchFromHub(source, options)
  const { manifest, manifestSha256 } = await convert(path)
  t.equal(manifestSha256, (await convert(join(fixtures, 'tiny-kandinsky'))).manifestSha256)
  const { prior: own, sight, textEncoders } = partFiles(requireDiffusion(manifest))
  t.ok(own.length > 0 && sight.length > 0 && textEncoders.length === 1)
  const requests = hub.requests.length
  t.equal((await fetchFromHub(source, options)).path, path)
  t.equal(hub.requests.length, requests, 'nothing is asked again')
})

t.test('without a prior, a model that draws embeddings is refused, and says what to do', async t => {
  const { decoder } = await kandinskyRepositories('# A card without settings\n\nprior: a/prior\n')
  await using hub = await startFakeHub('a/decoder', decoder)
  const directory = await mkdtemp(join(tmpdir(), 'diffusion-hub-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const fetched = fetchFromHub({ repo: 'a/decoder', file: undefined }, { directory, hubUrl: hub.url, retryMs: 1 })
  await t.rejects(fetched, { code: 'model_not_found', message: /README.md names none/ })
  const folder = await copyOf(t, 'tiny-kandinsky')
  await rm(join(folder, 'prior_prior'), { recursive: true })
  await t.rejects(convert(folder), { code: 'model_invalid', message: /the folder has none/, hint: /prior_/ })
})

t.test('of a repository whose model is not supported, no weight is fetched', async t => {
  const repository = await filesOf('tiny-sd')
  const index = { ...JSON.parse(new TextDecoder().decode(repository['model_index.json'])), _class_name: 'FluxPipeline' }
  repository['model_index.json'] = new TextEncoder().encode(JSON.stringify(index))
  await using hub = await startFakeHub('a/flux', repository)
  const directory = await mkdtemp(join(tmpdir(), 'diffusion-hub-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const fetched = fetchFromHub({ repo: 'a/flux', file: undefined }, { directory, hubUrl: hub.url, retryMs: 1 })
  await t.rejects(fetched, { code: 'model_invalid', message: /FluxPipeline/ })
  const here = await readdir(directory, { recursive: true })
  t.notOk(here.some(name => name.endsWith('.safetensors')))
})

t.test('of a repository with pickles only, nothing is fetched but what says so', async t => {
  const repository = await filesOf('tiny-sd')
  repository['vae/diffusion_pytorch_model.bin'] = new Uint8Array(16)
  delete repository['vae/diffusion_pytorch_model.safetensors']
  await using hub = await startFakeHub('a/pickles', repository)
  const directory = await mkdtemp(join(tmpdir(), 'diffusion-hub-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const fetched = fetchFromHub({ repo: 'a/pickles', file: undefined }, { directory, hubUrl: hub.url, retryMs: 1 })
  await t.rejects(fetched, { code: 'model_not_found', message: /its vae has its weights as a pickle only/ })
})
