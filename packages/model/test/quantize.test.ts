import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import type { SourceTensor } from '@resultity/formats'
import { type Quantize, recipeOf, requireDecoder, type TensorEntry, weightFiles } from '@resultity/interface'
import { servedBytes, TestHub } from '@resultity/test-hub'
import t from 'tap'
import { AUTO_BYTES_MIN, roundedSource } from '../src/import/rounded-source.ts'
import { HubClient, importModel, parseModelReference, RemoteModel } from '../src/index.ts'
import { TINY_CHAT } from './tiny-models.ts'

const shown = (tensors: readonly TensorEntry[] = []): string =>
  tensors.map(({ name, encoding }) => `${name} ${encoding}`).join(', ')

const expected: Record<Quantize, { embedding: string; layer: string }> = {
  auto: { embedding: 'f16', layer: 'f16' },
  none: { embedding: 'f16', layer: 'f16' },
  q8: { embedding: 'q8', layer: 'q8' },
  q4: { embedding: 'q8', layer: 'q4' }
}

t.test('matrices are as asked for, norms as they are; nodes make the same of ranges', async t => {
  const names = readdirSync(TINY_CHAT).filter(name => name !== 'golden.json')
  const files = Object.fromEntries(names.map(name => [name, servedBytes(readFileSync(join(TINY_CHAT, name)))]))
  await using hub = await TestHub.start({ repository: 'org/tiny', files })
  const directory = t.testdir()
  const seen = new Map<string, string>()
  for (const [quantize, { embedding, layer }] of Object.entries(expected)) {
    const asked = { quantize: quantize as Quantize, hub: { hubUrl: hub.url, retryMs: 1 } }
    const reference = parseModelReference('hf:org/tiny')
    const dataDir = join(directory, 'node-made')
    await using store = await FileBlobStore.open(dataDir)
    const { manifest } = await importModel(reference, { ...asked, dataDir, store, describeFrom: 1 })
    const recipe = recipeOf(manifest)
    if (recipe === undefined) throw new Error('it was not described')
    t.equal(recipe.quantize, quantize)
    await using model = await RemoteModel.open(recipe, {
      client: new HubClient({ url: hub.url }),
      directory: join(directory, `spool-${quantize}`)
    })
    const made: string[] = []
    for await (const { sha256 } of model.make([...weightFiles(manifest).keys()], store)) made.push(sha256)

    const wholeDir = join(directory, 'whole')
    await using wholeStore = await FileBlobStore.open(wholeDir)
    const whole = await importModel(reference, { ...asked, dataDir: wholeDir, store: wholeStore })
    t.strictSame(
      made,
      weightFiles(whole.manifest).map(({ sha256 }) => sha256),
      quantize
    )
    const decoder = requireDecoder(whole.manifest)
    t.equal(shown(decoder.embedding.tensors), `embedding ${embedding}`)
    t.equal(shown(decoder.head.tensors), 'final_norm f32')
    t.equal(
      shown(decoder.layers[1]?.tensors),
      `input_norm f32, qkv ${layer}, output ${layer}, post_norm f32, gate_up ${layer}, down ${layer}`
    )
    const again = await importModel(reference, { ...asked, dataDir: wholeDir, store: wholeStore })
    t.equal(again.manifestSha256, whole.manifestSha256, 'each way is remembered by itself')
    seen.set(quantize, weightFiles(manifest)[1]?.sha256 ?? '')
  }
  t.equal(new Set(seen.values()).size, 4, 'a file that nobody has made is named by how it is made')
})

t.test('where nobody says, 16 bits of a large model become 8', async t => {
  const matrix = (encoding: 'F32' | 'BF16', rows: number): SourceTensor => ({
    name: 'w',
    encoding,
    rows,
    columns: 1024,
    rowBytes: encoding === 'F32' ? 4096 : 2048,
    read: () => {
      throw new Error('nothing is read')
    }
  })
  const encodingOf = (encoding: 'F32' | 'BF16', rows: number, quantize?: Quantize): string | undefined => {
    const layer = new Map([['q', [matrix(encoding, rows)]]] as const)
    const [embedding, finalNorm] = [matrix(encoding, 1), matrix('F32', 1)]
    const source = { config: {}, embedding, finalNorm, head: undefined, layers: [layer], [Symbol.dispose]() {} }
    return roundedSource(source as never, quantize).layers[0]?.get('q')?.[0]?.encoding
  }
  const large = Math.ceil(AUTO_BYTES_MIN / 2048)
  t.equal(encodingOf('BF16', large), 'Q8_0')
  t.equal(encodingOf('BF16', large, 'none'), 'BF16')
  t.equal(encodingOf('BF16', large - 10), 'BF16', 'a small one keeps its bits')
  t.equal(encodingOf('F32', large), 'F32', 'and so does one of 32 bits')
  t.equal(encodingOf('F32', 10, 'q4'), 'Q4_0')
})
