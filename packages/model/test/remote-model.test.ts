import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { type ModelManifest, recipeOf, type WeightFile, weightFiles } from '@resultity/interface'
import { type CheckpointShape, randomCheckpoint, type ServedFile, servedBytes, TestHub } from '@resultity/test-hub'
import t, { type Test } from 'tap'
import { convertModel } from '../src/import/convert.ts'
import { importModel } from '../src/import/import.ts'
import { ImportRecords } from '../src/import/import-record.ts'
import { readTokenizerFiles } from '../src/import/tokenizer-of.ts'
import { type DescribedHubModel, describeHubModel } from '../src/remote/describe-model.ts'
import { HubClient, type HubClientInit } from '../src/remote/hub-client.ts'
import { followRedirects } from '../src/remote/redirects.ts'
import { RemoteModel } from '../src/remote/remote-model.ts'
import { TINY_CHAT } from './tiny-models.ts'

const REPO = 'org/tiny'
const SYNC_BYTES = 4096

const tinyFiles = (): Record<string, ServedFile> =>
  Object.fromEntries(
    readdirSync(TINY_CHAT)
      .filter(name => name !== 'golden.json')
      .map(name => [name, servedBytes(readFileSync(join(TINY_CHAT, name)))])
  )

const SHAPE: CheckpointShape = {
  hidden_size: 128,
  intermediate_size: 256,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 32,
  vocab_size: 800,
  tie_word_embeddings: false
}

const shardedFiles = (): Record<string, ServedFile> => {
  const small = Object.fromEntries(
    ['tokenizer.json', 'tokenizer_config.json'].map(name => [name, readFileSync(join(TINY_CHAT, name))])
  )
  return randomCheckpoint(SHAPE, { shards: 3, small })
}

interface Described extends DescribedHubModel {
  readonly client: HubClient
  readonly store: FileBlobStore
}

async function describe(t: Test, hub: TestHub, access: HubClientInit = {}): Promise<Described> {
  const client = new HubClient({ url: hub.url, retryMs: 1, ...access })
  const directory = t.testdir()
  const store = await FileBlobStore.open(join(directory, 'store'))
  t.teardown(() => store[Symbol.asyncDispose]())
  const init = { client, store, directory: join(directory, 'hub'), name: REPO, weightBytesMin: 0 }
  const described = await describeHubModel({ repo: REPO }, init)
  if (described === undefined) throw new Error('the model was not described')
  return { ...described, client, store }
}

async function openRemote(t: Test, manifest: ModelManifest, client: HubClient, name = 'node'): Promise<RemoteModel> {
  const recipe = recipeOf(manifest)
  if (recipe === undefined) throw new Error('there is no recipe')
  const model = await RemoteModel.open(recipe, {
    client,
    directory: join(t.testdirName, name),
    syncBytes: SYNC_BYTES
  })
  model.requireLayouts(weightFiles(manifest))
  return model
}

/** What a repository's files are as a model that is imported whole: the manifest's hash, and those of the weight files. */
async function wholeImport(
  t: Test,
  served: Record<string, ServedFile>
): Promise<{ sha256: string; files: readonly string[] }> {
  const path = join(t.testdirName, 'whole')
  mkdirSync(path)
  for (const [name, file] of Object.entries(served)) writeFileSync(join(path, name), file.read(0, file.bytes))
  await using store = await FileBlobStore.open(join(t.testdirName, 'whole-store'))
  const tokenizerFiles = await readTokenizerFiles(path)
  const { manifest, manifestSha256 } = await convertModel(path, { store, name: REPO, tokenizerFiles })
  return { sha256: manifestSha256, files: weightFiles(manifest).map(({ sha256 }) => sha256) }
}

/** The manifest as it is once all weights are known: named by their bytes. */
function withContents(manifest: ModelManifest, contents: readonly string[]): object {
  const { recipe: _recipe, ...rest } = manifest as ModelManifest & { recipe?: unknown }
  let at = 0
  const named = (file: WeightFile): WeightFile => ({ ...file, sha256: contents[at++] ?? '' })
  if (!('embedding' in rest) || !('head' in rest) || rest.head === undefined) throw new Error('no decoder')
  return {
    ...rest,
    version: 1,
    embedding: named(rest.embedding),
    layers: rest.layers.map(named),
    head: named(rest.head)
  }
}

async function makeAll(model: RemoteModel, store: FileBlobStore): Promise<string[]> {
  const indices = model.plan.layouts.map((_, index) => index)
  const made: string[] = []
  for await (const { sha256 } of model.make(indices, store)) made.push(sha256)
  return made
}

for (const [name, files] of Object.entries({ 'in one file': tinyFiles(), 'in shards': shardedFiles() })) {
  t.test(`a model ${name}, made layer by layer from ranges, is the one that is imported whole`, async t => {
    await using hub = await TestHub.start({ repository: REPO, files })
    const weights = Object.entries(files).filter(([path]) => path.endsWith('.safetensors'))
    const weightBytes = weights.reduce((sum, [, { bytes }]) => sum + bytes, 0)
    const { manifest, manifestSha256, source, client, store } = await describe(t, hub)
    t.equal(source, `hf:${REPO}@${hub.commit}`)
    const inWeights = hub.requests.filter(({ path }) => path.endsWith('.safetensors'))
    const read = inWeights.reduce((sum, { bytes }) => sum + bytes, 0)
    t.ok(read <= weights.length * 64 * 1024, `${read} bytes of the weights were read for their headers`)

    await using model = await openRemote(t, manifest, client)
    const sentBefore = hub.bytesSent
    const made = await makeAll(model, store)
    t.ok(hub.bytesSent - sentBefore <= weightBytes, 'no byte of the weights came twice')

    const whole = await wholeImport(t, files)
    t.strictSame(made, whole.files, 'the weight files have the same bytes')
    const known = await store.put(new TextEncoder().encode(JSON.stringify(withContents(manifest, made))))
    t.equal(known, whole.sha256, 'with their hashes, the manifest is the same')
    t.not(manifestSha256, whole.sha256)
    t.equal(await model.hashOf(1), whole.files[1], 'a hash is had without keeping the file')
    const left = readdirSync(join(t.testdirName, 'node')).filter(name => name.endsWith('.spool'))
    t.strictSame(left, [], 'nothing of what was fetched is kept')
  })
}

t.test('what came before a process ended is not fetched again, but for the last bytes', async t => {
  await using hub = await TestHub.start({ repository: REPO, files: shardedFiles() })
  const { manifest, client, store } = await describe(t, hub)
  const indices = [1, 2]
  {
    await using model = await openRemote(t, manifest, client)
    const total = model.sourceBytes(1)
    const stop = new AbortController()
    const onProgress = ({ bytesDone }: { bytesDone: number }): void => {
      if (bytesDone > total / 2) stop.abort(new Error('killed'))
    }
    const making = model.make(indices, store, { signal: stop.signal, onProgress })
    await t.rejects(making.next(), { message: /killed/ })
  }
  await using model = await openRemote(t, manifest, client)
  hub.faults.breakAfter = [10_000, 1]
  const sentBefore = hub.bytesSent
  const made: number[] = []
  for await (const { index } of model.make(indices, store)) made.push(index)
  t.strictSame(made, indices)
  const half = model.sourceBytes(1) / 2
  const left = model.sourceBytes(1) + model.sourceBytes(2) - half
  t.ok(hub.bytesSent - sentBefore <= left + SYNC_BYTES + 64 * 1024, 'the first half came once')
  const { files } = await wholeImport(t, shardedFiles())
  for (const index of indices) t.ok(await store.find(files[index] ?? ''), 'it is the right file all the same')
})

t.test(
  'a gated repository: the token is shown to the hub alone, and without it the page of the licence is named',
  async t => {
    await using hub = await TestHub.start({ repository: REPO, files: tinyFiles(), token: 'hf_secret' })
    await t.rejects(describe(t, hub), {
      code: 'model_gated',
      hint: `Visit ${hub.url}/${REPO}, accept the licence and set HF_TOKEN to a token of your account.`
    })
    await t.rejects(describe(t, hub, { token: 'hf_other' }), {
      code: 'model_gated',
      hint: `Visit ${hub.url}/${REPO}, accept the licence with the account of the token that is set.`
    })
    const { manifest } = await describe(t, hub, { token: 'hf_secret' })
    t.notMatch(JSON.stringify(manifest), /hf_secret|127\.0\.0\.1/, 'neither token nor host is in the manifest')
  }
)

t.test('a hub that serves whole files only is refused, and one that fails for a while is not', async t => {
  await using hub = await TestHub.start({ repository: REPO, files: shardedFiles() })
  hub.faults.statuses = [503, 429]
  await describe(t, hub)
  hub.faults.statuses = Array(20).fill(502)
  await t.rejects(describe(t, hub), { code: 'model_unavailable', message: /502/ })
  hub.faults.statuses = []
  hub.faults.ignoreRanges = true
  await t.rejects(describe(t, hub), { code: 'not_implemented', hint: /--import-max/ })
})

t.test('a hub that asks for patience is waited for, and whoever looks on hears of it', async t => {
  await using hub = await TestHub.start({ repository: REPO, files: tinyFiles() })
  const { manifest, client, store } = await describe(t, hub)
  await using model = await openRemote(t, manifest, client)
  hub.faults.statuses = [429, 429, 429]
  const heard: number[] = []
  await model.make([1], store, { onProgress: ({ bytesDone }) => heard.push(bytesDone) }).next()
  t.strictSame(heard.slice(0, 4), [0, 0, 0, 0], 'at the beginning, and before each pause')
})

t.test('a file that is not the one described any more is an error, not another model', async t => {
  await using hub = await TestHub.start({ repository: REPO, files: tinyFiles() })
  const { manifest, client, store } = await describe(t, hub)
  await using model = await openRemote(t, manifest, client)
  hub.faults.changedTo = 'ab'.repeat(32)
  await t.rejects(model.make([1], store).next(), { code: 'source_changed', message: /abab/ })
  await using moved = await TestHub.start({ repository: REPO, files: tinyFiles(), commit: 'd1'.repeat(20) })
  await t.rejects(openRemote(t, manifest, new HubClient({ url: moved.url }), 'other'), { code: 'source_changed' })
})

t.test('a hub cannot send this machine to what is beside it, nor its token elsewhere', async t => {
  await using hub = await TestHub.start({ repository: REPO, files: tinyFiles(), token: 'hf_secret' })
  for (const target of [
    'http://127.0.0.1:1/x',
    'https://169.254.169.254/latest',
    'https://[::1]/x',
    'https://metadata/x',
    'https://db.internal/x',
    'https://db.internal./x',
    'https://localhost./x',
    'http://files.example.org/x',
    'https://me:secret@files.example.org/x',
    'file:///etc/passwd',
    '//'
  ]) {
    hub.faults.redirectTo = target
    await t.rejects(describe(t, hub, { token: 'hf_secret' }), { code: 'model_unavailable', message: /sends elsewhere/ })
  }
  hub.faults.redirectTo = `${hub.url}/${REPO}/resolve/main/config.json`
  const request = { signal: new AbortController().signal, headers: {}, secret: { authorization: 'Bearer hf_secret' } }
  await t.rejects(followRedirects(`${hub.url}/${REPO}/resolve/main/config.json`, request), { message: /without end/ })
})

t.test('a host that the hub sends to gets no token, and what it refuses is no matter of licences', async t => {
  await using hub = await TestHub.start({ repository: REPO, files: tinyFiles(), token: 'hf_secret' })
  hub.faults.redirectTo = 'https://files.example.org/kept'
  const tokens: (string | null)[] = []
  const { fetch } = globalThis
  // no name but this machine's leads to a server here
  t.intercept(globalThis, 'fetch', {
    value: async (target: URL, init: RequestInit) => {
      if (target.host !== 'files.example.org') return await fetch(target, init)
      tokens.push(new Headers(init.headers).get('authorization'))
      return Object.defineProperty(new Response(null, { status: 403 }), 'url', { value: target.href })
    }
  })
  await t.rejects(describe(t, hub, { token: 'hf_secret' }), {
    code: 'model_unavailable',
    message: /files\.example\.org answered with 403/
  })
  t.strictSame(tokens, Array(5).fill(null))
})

t.test('models that are served whole are not described, whatever their size', async t => {
  const settings = (type: string): Record<string, ServedFile> => {
    const content = Buffer.from(JSON.stringify({ model_type: type }))
    return { ...tinyFiles(), 'config.json': servedBytes(content) }
  }
  const diffusers = {
    'model_index.json': servedBytes(Buffer.from('{}')),
    'unet/diffusion_pytorch_model.safetensors': servedBytes(new Uint8Array(64))
  }
  for (const files of [diffusers, settings('blip'), settings('bert'), settings('whisper')]) {
    await using hub = await TestHub.start({ repository: REPO, files })
    await using store = await FileBlobStore.open(join(t.testdir(), 'store'))
    const init = { client: new HubClient({ url: hub.url }), store, directory: t.testdirName, name: REPO }
    t.equal(await describeHubModel({ repo: REPO }, { ...init, weightBytesMin: 0 }), undefined)
  }
})

t.test('an import describes large models only, and answers without the hub the second time', async t => {
  const files = tinyFiles()
  await using hub = await TestHub.start({ repository: REPO, files })
  const dataDir = t.testdir()
  await using store = await FileBlobStore.open(dataDir)
  const reference = { kind: 'hub', repo: REPO, file: undefined } as const
  const options = { dataDir, store, hub: { hubUrl: hub.url, retryMs: 1 }, describeFrom: 1 }
  const imported = await importModel(reference, options)
  t.ok(recipeOf(imported.manifest))
  const asked = hub.requests.length
  t.equal((await importModel(reference, options)).manifestSha256, imported.manifestSha256)
  t.equal(hub.requests.length, asked)
  const directory = readdirSync(join(dataDir, 'blobs'))
  t.equal(directory.length, 3, 'the store has the manifest and the tokenizer, and no weights')
  const recipe = { ...recipeOf(imported.manifest), converter: 1000 }
  const other = await store.put(new TextEncoder().encode(JSON.stringify({ ...imported.manifest, recipe })))
  const records = new ImportRecords(dataDir)
  await records.remember(reference, { manifestSha256: other, source: imported.source, sourceFingerprint: '' })
  const anew = await importModel(reference, options)
  t.equal(anew.manifestSha256, imported.manifestSha256, 'what another version was to make is described anew')
  const whole = await importModel(reference, { ...options, describeFrom: undefined })
  t.equal(recipeOf(whole.manifest), undefined, 'asked for whole, a description does not serve')
  const small = { ...options, dataDir: join(dataDir, 'other'), describeFrom: 1e12 }
  t.equal((await importModel(reference, small)).manifestSha256, whole.manifestSha256, 'a small model is fetched whole')
})
