import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FileBlobStore } from '@resultity/blobs'
import { type BlobRef, type FileContent, MeshError, recipeOf, type WeightFile, weightFiles } from '@resultity/interface'
import { ContentRecords, describeHubModel, HubClient } from '@resultity/model'
import { randomCheckpoint, TestHub } from '@resultity/test-hub'
import t, { type Test } from 'tap'
import { type HubPart, RecipeFiles } from '../src/recipe-files.ts'

const TINY_CHAT = fileURLToPath(new URL('../../../model/models/tiny-chat', import.meta.url))
const REPO = 'org/random'
const { signal } = new AbortController()

async function startHub(): Promise<TestHub> {
  const small = Object.fromEntries(
    ['tokenizer.json', 'tokenizer_config.json'].map(name => [name, readFileSync(join(TINY_CHAT, name))])
  )
  const shape = {
    hidden_size: 64,
    intermediate_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    head_dim: 32,
    vocab_size: 800,
    tie_word_embeddings: false
  }
  return await TestHub.start({ repository: REPO, files: randomCheckpoint(shape, { shards: 1, small }) })
}

async function setUp(t: Test, hub: TestHub) {
  const directory = t.testdir()
  const client = new HubClient({ url: hub.url, retryMs: 1 })
  const store = await FileBlobStore.open(join(directory, 'coordinator'))
  t.teardown(() => store[Symbol.asyncDispose]())
  const init = { client, store, directory: join(directory, 'described'), name: REPO, weightBytesMin: 0 }
  const described = await describeHubModel({ repo: REPO }, init)
  const manifest = described?.manifest
  const recipe = manifest && recipeOf(manifest)
  if (manifest === undefined || recipe === undefined) throw new Error('the model was not described')
  const files = weightFiles(manifest)

  /** A node with a disk of its own. */
  const node = async (
    name: string,
    {
      known = [],
      asksHub = true,
      peers
    }: { known?: FileContent[]; asksHub?: boolean; peers?: FileBlobStore | undefined }
  ) => {
    const own = await FileBlobStore.open(join(directory, name))
    t.teardown(() => own[Symbol.asyncDispose]())
    const part: HubPart = {
      client: asksHub ? client : undefined,
      directory: join(directory, name, 'hub'),
      records: await ContentRecords.open(join(directory, name, 'hub', 'contents.json'))
    }
    const asked: string[] = []
    const fromPeers = async ({ sha256, bytes }: BlobRef): Promise<string> => {
      asked.push(sha256)
      const path = await peers?.find(sha256)
      if (path === undefined) throw new MeshError('blob_not_found', `no peer has ${sha256}`)
      const writer = await own.writer(sha256, bytes)
      await writer.write(readFileSync(path))
      await writer.commit()
      return path
    }
    const made = new RecipeFiles({ store: own, hub: part, fromPeers }, { manifest, recipe, known })
    return { made, asked, own, bring: (of: WeightFile[] = files) => made.bring(of, signal, () => undefined) }
  }
  return { node, files, client }
}

t.test('what one node made another makes too; what two made is taken from a peer', async t => {
  await using hub = await startHub()
  const { node, files } = await setUp(t, hub)
  const first = await node('first', {})
  t.strictSame(
    [...(await first.bring()).keys()],
    files.map(({ sha256 }) => sha256)
  )
  t.ok(first.made.contents.every(({ verified }) => verified))

  const unsure = first.made.contents.map(content => ({ ...content, verified: false }))
  const second = await node('second', { known: unsure, peers: first.own })
  await second.bring()
  t.strictSame(second.made.contents, first.made.contents)
  t.strictSame(second.asked, [], 'it saw for itself')

  const before = hub.bytesSent
  const third = await node('third', { known: first.made.contents, peers: first.own })
  await third.bring()
  t.equal(third.asked.length, files.length)
  t.equal(hub.bytesSent, before)
  t.ok(third.made.contents.every(({ verified }) => !verified))
  third.made.release()

  const again = await node('first', {})
  await again.bring()
  t.equal(hub.bytesSent, before, 'a node that starts again has what it made')
})

t.test('a node without a hub takes what there is, and says when nobody has made it', async t => {
  await using hub = await startHub()
  const { node } = await setUp(t, hub)
  const first = await node('first', {})
  await first.bring()
  const unsure = first.made.contents.map(content => ({ ...content, verified: false }))
  const second = await node('second', { known: unsure, peers: first.own, asksHub: false })
  t.equal((await second.bring()).size, first.made.contents.length)
  const third = await node('third', { asksHub: false })
  await t.rejects(third.bring(), {
    code: 'blob_not_found',
    message: /nobody has made the embedding and 3 more of org\/random/,
    hint: /--hub off/
  })
})

t.test('a hub that fails is done without where peers have the layers', async t => {
  await using hub = await startHub()
  const { node, files } = await setUp(t, hub)
  const first = await node('first', {})
  await first.bring()
  const unsure = first.made.contents.map(content => ({ ...content, verified: false }))
  hub.faults.statuses = Array(100).fill(503)
  const second = await node('second', { known: unsure, peers: first.own })
  t.equal((await second.bring()).size, files.length)
  const settled = await node('third', { known: first.made.contents })
  await t.rejects(settled.bring(files.slice(0, 1)), { code: 'blob_not_found' })
})

t.test('what comes out otherwise than is settled is an error that names the layer', async t => {
  await using hub = await startHub()
  const { node, files } = await setUp(t, hub)
  const known = files.map(({ sha256: file }) => ({ file, sha256: 'e'.repeat(64), verified: true }))
  const { made, bring } = await node('node', { known })
  await t.rejects(bring(files.slice(2, 3)), { code: 'hash_mismatch', message: /^layer 1 of org\/random came out as/ })
  t.strictSame(made.contents, [])
})

t.test('of models whose layers were not all made the ranges of a few are kept', async t => {
  await using hub = await startHub()
  const { node } = await setUp(t, hub)
  const { bring } = await node('node', {})
  const directory = join(t.testdirName, 'node', 'hub')
  for (let at = 0; at < 6; at++) {
    const folder = join(directory, String(at))
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, '0.spool'), 'ranges')
    utimesSync(folder, at, at)
  }
  await bring()
  t.strictSame(readdirSync(directory).toSorted(), ['3', '4', '5', 'contents.json'], 'the latest, and what is known')
})
