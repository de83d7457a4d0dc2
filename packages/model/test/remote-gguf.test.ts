import { readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import type { GgufContent } from '@resultity/formats'
import { type ModelManifest, recipeOf, weightFiles } from '@resultity/interface'
import { type ServedFile, servedBytes, TestHub } from '@resultity/test-hub'
import t, { type Test } from 'tap'
import { HubClient, importModel, parseModelReference, RemoteModel } from '../src/index.ts'
import { ggufBytes, TINY_SHAPE, tinyGguf, withMetadata } from './tiny-models.ts'

/** Large enough that a header and a layer are not one range. */
const SHAPE = { ...TINY_SHAPE, hiddenSize: 256, intermediateSize: 512, layerCount: 3, vocabularySize: 20_000 }

const nameOf = (at: number): string => `q4/big-0000${at + 1}-of-00002.gguf`

/** As llama.cpp splits a model: only the first part has its metadata. */
function parts(): GgufContent[] {
  const whole = tinyGguf(SHAPE)
  const half = Math.ceil(whole.tensors.length / 2)
  return [0, 1].map(at => {
    const tensors = whole.tensors.slice(at * half, (at + 1) * half)
    const number = (value: number) => ({ type: 'u32', value }) as const
    const split = {
      'split.no': number(at),
      'split.count': number(2),
      'split.tensors.count': number(whole.tensors.length)
    }
    return withMetadata(at === 0 ? { ...whole, tensors } : { metadata: {}, tensors }, split)
  })
}

const models: Record<string, { reference: string; files: () => Record<string, ServedFile> }> = {
  'in one file': {
    reference: 'hf:org/big',
    files: () => ({ 'big.gguf': servedBytes(ggufBytes(tinyGguf(SHAPE))), 'README.md': servedBytes(new Uint8Array(9)) })
  },
  'in parts': {
    reference: `hf:org/big@main:${nameOf(1)}`,
    files: () => Object.fromEntries(parts().map((part, at) => [nameOf(at), servedBytes(ggufBytes(part))]))
  }
}

async function open(t: Test, manifest: ModelManifest, hub: TestHub, name: string): Promise<RemoteModel> {
  const recipe = recipeOf(manifest)
  if (recipe === undefined) throw new Error('there is no recipe')
  const client = new HubClient({ url: hub.url, retryMs: 1 })
  const model = await RemoteModel.open(recipe, { client, directory: join(t.testdirName, name), syncBytes: 4096 })
  model.requireLayouts(weightFiles(manifest))
  return model
}

for (const [name, { reference, files }] of Object.entries(models)) {
  t.test(`a GGUF ${name}, made layer by layer from ranges, is the one that is imported whole`, async t => {
    const served = files()
    await using hub = await TestHub.start({ repository: 'org/big', files: served })
    const dataDir = t.testdir()
    await using store = await FileBlobStore.open(dataDir)
    const options = { dataDir, store, hub: { hubUrl: hub.url, retryMs: 1 } }
    const { manifest, source } = await importModel(parseModelReference(reference), { ...options, describeFrom: 1 })
    const bytes = Object.values(served).reduce((sum, file) => sum + file.bytes, 0)
    const headerBytes = hub.bytesSent
    t.ok(headerBytes < bytes / 3, `the coordinator read ${headerBytes} of ${bytes} bytes`)
    t.match(source, `hf:org/big@${hub.commit}`)
    t.equal(readdirSync(join(dataDir, 'blobs')).length, 3, 'and keeps the manifest and the tokenizer')

    const made = new Map<number, string>()
    const before = hub.bytesSent
    {
      await using model = await open(t, manifest, hub, 'first')
      const layer = model.sourceBytes(1)
      hub.faults.breakAfter = [Number.POSITIVE_INFINITY, 5000]
      for await (const { index, sha256 } of model.make([1], store)) made.set(index, sha256)
      t.ok(hub.bytesSent - before < headerBytes + layer + 64 * 1024, 'a node reads headers and its own layer')
    }
    await using model = await open(t, manifest, hub, 'second')
    const stop = new AbortController()
    const onProgress = (): void => stop.abort(new Error('killed'))
    await t.rejects(model.make([2], store, { signal: stop.signal, onProgress }).next(), { message: /killed/ })
    await using again = await open(t, manifest, hub, 'second')
    for await (const { index, sha256 } of again.make([0, 2, 3, 4], store)) made.set(index, sha256)

    for (const [path, file] of Object.entries(served)) {
      writeFileSync(join(dataDir, path.replace('q4/', '')), file.read(0, file.bytes))
    }
    const path = join(dataDir, name === 'in parts' ? nameOf(0).replace('q4/', '') : 'big.gguf')
    t.equal(dirname(path), dataDir)
    const whole = await importModel({ kind: 'file', path }, options)
    t.strictSame(
      [...made].toSorted(([a], [b]) => a - b).map(([, sha256]) => sha256),
      weightFiles(whole.manifest).map(({ sha256 }) => sha256)
    )
    t.match(whole.manifest, { config: manifest.config, tokenizer: 'tokenizer' in manifest ? manifest.tokenizer : {} })
  })
}

t.test('a GGUF that is not supported is refused by its header, and one with endless headers is left', async t => {
  const other = withMetadata(tinyGguf(SHAPE), { 'general.architecture': { type: 'string', value: 'clip' } })
  const endless = servedBytes(ggufBytes(tinyGguf(SHAPE)))
  const files = {
    'other.gguf': servedBytes(ggufBytes(other)),
    'endless.gguf': {
      ...endless,
      bytes: 1e12,
      // the number of tensors that the header claims, and nothing but zeros behind its beginning
      read: (offset: number, length: number) => {
        const content = new Uint8Array(length)
        if (offset < 16) content.set(endless.read(offset, Math.min(16 - offset, length)))
        if (offset === 0 && length >= 24) new DataView(content.buffer).setUint32(16, 60_000, true)
        return content
      }
    }
  }
  await using hub = await TestHub.start({ repository: 'org/big', files })
  const dataDir = t.testdir()
  await using store = await FileBlobStore.open(dataDir)
  const options = { dataDir, store, hub: { hubUrl: hub.url, retryMs: 1 }, describeFrom: 1 }
  await t.rejects(importModel(parseModelReference('hf:org/big:other.gguf'), options), {
    code: 'model_invalid',
    message: /hf:org\/big:other\.gguf: .*reads images/
  })
  await t.rejects(importModel(parseModelReference('hf:org/big:endless.gguf'), options), { code: 'model_invalid' })
  t.ok(hub.bytesSent < 16 * 1024 * 1024, `${hub.bytesSent} bytes were read`)
})
