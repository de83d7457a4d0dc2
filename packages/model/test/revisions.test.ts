import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { recipeOf } from '@resultity/interface'
import { servedBytes, TestHub } from '@resultity/test-hub'
import t from 'tap'
import { fetchModel, importModel, parseModelReference } from '../src/index.ts'
import { HubClient } from '../src/remote/hub-client.ts'
import { listRepository } from '../src/remote/list-repository.ts'
import { fetchFromHub } from '../src/sources/hub.ts'
import { COMMIT, startFakeHub } from './sources-fixtures.ts'
import { TINY_CHAT } from './tiny-models.ts'

const model = Buffer.alloc(2000, 'weights ')
const TAGGED = 'a1'.repeat(20)
const MOVED = 'b2'.repeat(20)

t.test('a tag is looked up once, and is there without the hub afterwards', async t => {
  const dataDir = t.testdir()
  const reference = parseModelReference('hf:org/repo@v1:model.gguf')
  const revisions = { main: COMMIT, v1: TAGGED }
  let path: string
  {
    await using hub = await startFakeHub('org/repo', { 'model.gguf': model }, { revisions })
    const fetched = await fetchModel(reference, { dataDir, hub: { hubUrl: hub.url, retryMs: 1 } })
    t.equal(fetched.source, `hf:org/repo@${TAGGED}:model.gguf`, 'what was read is told by its commit')
    path = fetched.path
    t.strictSame(hub.requests, ['list', 'bytes=0-1999'])
  }
  t.match(path, `org--repo/${TAGGED}/model.gguf`)
  const offline = { dataDir, hub: { hubUrl: 'http://127.0.0.1:1', retryMs: 1 } }
  for (const text of ['hf:org/repo@v1:model.gguf', `hf:org/repo@${TAGGED}:model.gguf`]) {
    t.equal((await fetchModel(parseModelReference(text), offline)).path, path, text)
  }
  await t.rejects(fetchModel(parseModelReference('hf:org/repo:model.gguf'), offline), {
    code: 'model_unavailable',
    message: /did not list hf:org\/repo:model\.gguf/
  })
})

t.test('a branch that moves while its files come is read as it was', async t => {
  const revisions: Record<string, string> = { main: COMMIT, v1: COMMIT }
  const files = { 'a.gguf': model }
  await using hub = await startFakeHub('org/repo', files, { revisions, breakAfter: [1000] })
  const options = {
    directory: t.testdir(),
    hubUrl: hub.url,
    retryMs: 1,
    onProgress: ({ phase }: { phase: string }) => {
      if (phase === 'download') revisions.main = MOVED
    }
  }
  const { path, commit } = await fetchFromHub({ repo: 'org/repo' }, options)
  t.equal(commit, COMMIT)
  t.strictSame(await readFile(path), model)
  t.equal(hub.requests.filter(request => request === 'list').length, 1)
})

t.test('a revision that is not there, or is another, is refused by its name', async t => {
  const fault = { revisions: { main: COMMIT }, statuses: [503, 429] }
  await using hub = await startFakeHub('org/repo', { 'model.gguf': model }, fault)
  const client = new HubClient({ url: hub.url, retryMs: 1 })
  await t.rejects(listRepository(client, { repo: 'org/repo', revision: 'v9' }), {
    code: 'model_not_found',
    message: /hf:org\/repo@v9: the repository has no such revision/,
    hint: /40 digits/
  })
  t.strictSame(hub.requests, ['list', 'list', 'list'], 'a hub that is busy is asked again')
  fault.statuses.push(...Array<number>(9).fill(503))
  await t.rejects(listRepository(client, { repo: 'org/repo' }), { code: 'model_unavailable', message: /503/ })
  await using other = await startFakeHub('org/repo', {}, { revisions: { [TAGGED]: MOVED } })
  await t.rejects(listRepository(new HubClient({ url: other.url }), { repo: 'org/repo', revision: TAGGED }), {
    code: 'source_changed',
    message: new RegExp(MOVED)
  })
})

t.test('nodes make a model of the commit that its tag was', async t => {
  const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']
  const files = Object.fromEntries(
    await Promise.all(names.map(async name => [name, servedBytes(await readFile(join(TINY_CHAT, name)))] as const))
  )
  await using hub = await TestHub.start({ repository: 'org/tiny', files })
  hub.revisions['refs/pr/1'] = TAGGED
  const dataDir = t.testdir()
  await using store = await FileBlobStore.open(dataDir)
  const options = { dataDir, store, hub: { hubUrl: hub.url, retryMs: 1 }, describeFrom: 1 }
  const imported = await importModel(parseModelReference('hf:org/tiny@refs/pr/1'), options)
  t.equal(imported.manifest.name, 'org/tiny@refs/pr/1')
  t.equal(imported.source, `hf:org/tiny@${TAGGED}`)
  t.equal(recipeOf(imported.manifest)?.commit, TAGGED)
  const main = await importModel(parseModelReference('hf:org/tiny'), options)
  t.equal(recipeOf(main.manifest)?.commit, hub.commit, 'two revisions are two models')
  t.not(main.manifestSha256, imported.manifestSha256)
  await t.rejects(importModel(parseModelReference('hf:org/tiny@gone'), options), { message: /hf:org\/tiny@gone/ })
})
