import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { requireEncoder, type WeightFile, weightFiles } from '@resultity/interface'
import { convertModel, readTokenizerFiles } from '@resultity/model'
import { createEncoderTokenizer, type EncoderTokenizer } from '@resultity/tokenizer'
import t, { type Test } from 'tap'
import { createEngine, type Encoder, type EncoderInit } from '../src/index.ts'

const fixtures = join(import.meta.dirname, '../../../model/test/fixtures')

interface Scored {
  readonly first: string
  readonly second: string | null
  readonly ids: number[]
  readonly secondAt: number | null
  readonly logits: number[]
}

/** Made by scripts/reference-scores.py. */
interface Reference {
  readonly texts: readonly Scored[]
  readonly pairs: readonly Scored[]
  readonly cut: readonly Scored[]
}

async function readReference(name: string): Promise<Reference> {
  return JSON.parse(await readFile(join(fixtures, 'scores', `${name}.json`), 'utf8'))
}

async function convert(t: Test, name: string): Promise<{ init: EncoderInit; tokenizer: EncoderTokenizer }> {
  const directory = await mkdtemp(join(tmpdir(), 'classifier-test-'))
  const store = await FileBlobStore.open(join(directory, 'blobs'))
  t.teardown(async () => {
    await store[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })
  const path = join(fixtures, name)
  const tokenizerFiles = await readTokenizerFiles(path)
  const converted = await convertModel(path, { store, name, tokenizerFiles })
  const manifest = requireEncoder(converted.manifest)
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
  const workDir = await mkdtemp(join(directory, 'work-'))
  const weightPath = (file: WeightFile): string => paths.get(file.sha256) ?? ''
  const tokenizer = createEncoderTokenizer(tokenizerFiles.definition, manifest.config)
  return { init: { manifest, threads: 1, spinning: false, weightPath, workDir }, tokenizer }
}

function near(t: Test, found: ArrayLike<number>, expected: readonly number[], what: string): void {
  const apart = expected.map((value, index) => Math.abs(value - (found[index] ?? Number.NaN)))
  t.ok(
    apart.every(difference => difference < 1e-4),
    `${what}: ${Array.from(found)} for ${expected}`
  )
}

const rowOf = (numbers: Float32Array, { dimensions }: Encoder, row: number): Float32Array =>
  numbers.subarray(row * dimensions, (row + 1) * dimensions)

t.test('pairs are tokens of transformers, cut off as it cuts them', async t => {
  const { tokenizer } = await convert(t, 'tiny-cross-encoder')
  const { pairs, cut } = await readReference('tiny-cross-encoder')
  for (const { first, second, ids, secondAt } of pairs) {
    t.same(tokenizer.encodePair(first, second ?? ''), { ids, second: secondAt }, `${first} / ${second}`)
  }
  for (const { first, second, ids, secondAt } of cut) {
    const found = tokenizer.encodePair(first, second ?? '', { truncateTo: tokenizer.inputTokensMax })
    t.same(found, { ids, second: secondAt })
    t.throws(() => tokenizer.encodePair(first, second ?? ''), { code: 'context_length_exceeded' })
  }
})

for (const kind of ['capi', 'node'] as const) {
  t.test(`${kind}: a cross-encoder gives the logits of transformers, alone and in a batch`, async t => {
    const { init } = await convert(t, 'tiny-cross-encoder')
    const { pairs, cut } = await readReference('tiny-cross-encoder')
    const all = [...pairs, ...cut]
    await using encoder = await (await createEngine(kind)).loadEncoder(init)
    t.equal(encoder.dimensions, 1)
    const inputs = all.map(({ ids }) => ids)
    const seconds = all.map(({ secondAt }) => secondAt ?? 0)
    const together = await encoder.encode(inputs, { seconds })
    for (const [row, { ids, secondAt, logits, first }] of all.entries()) {
      near(t, rowOf(together, encoder, row), logits, first.slice(0, 30))
      near(t, await encoder.encode([ids], { seconds: [secondAt ?? 0] }), logits, 'alone')
    }
    t.notSame(await encoder.encode(inputs), together, 'the second text is told from the first')
  })

  t.test(`${kind}: a classifier gives a number for each label`, async t => {
    const { init } = await convert(t, 'tiny-moderator')
    const { texts } = await readReference('tiny-moderator')
    await using encoder = await (await createEngine(kind)).loadEncoder(init)
    t.equal(encoder.dimensions, 6)
    const together = await encoder.encode(texts.map(({ ids }) => ids))
    for (const [row, { logits, first }] of texts.entries()) near(t, rowOf(together, encoder, row), logits, first)
  })
}

t.test('pairs that do not fit their inputs are refused', async t => {
  const { init } = await convert(t, 'tiny-cross-encoder')
  await using encoder = await (await createEngine('node')).loadEncoder(init)
  for (const seconds of [[4], [], [1, 1]]) {
    await t.rejects(encoder.encode([[2, 7, 3]], { seconds }), { code: 'invalid_request' })
  }
})
