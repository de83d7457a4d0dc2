import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { createEngine } from '@resultity/engine'
import {
  type DescriptionJob,
  readDescriptionJob,
  readDescriptionResult,
  requireCaptioner,
  weightFiles,
  writeDescriptionJob
} from '@resultity/interface'
import { convertModel, readTokenizerFiles } from '@resultity/model'
import t from 'tap'
import { runDescriptionJob } from '../src/description-job.ts'
import type { ReadyCaptioner } from '../src/loaded-model.ts'

const fixtures = join(import.meta.dirname, '../../../blip/test/fixtures')

/** Made by scripts/reference-blip.py. */
interface Reference {
  readonly question?: readonly number[]
  readonly generated: readonly {
    readonly prompt: string | null
    readonly max_length: number
    readonly min_length?: number
    readonly repetition_penalty?: number
    readonly tokens: readonly number[]
  }[]
}

const directory = await mkdtemp(join(tmpdir(), 'resultity-description-'))
const store = await FileBlobStore.open(directory)
const workDir = join(directory, 'work')
await mkdir(workDir)
t.teardown(async () => {
  await store[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

async function load(folder: string): Promise<ReadyCaptioner & AsyncDisposable> {
  const path = join(fixtures, folder)
  const tokenizerFiles = await readTokenizerFiles(path)
  const manifest = requireCaptioner((await convertModel(path, { store, name: folder, tokenizerFiles })).manifest)
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
  const weightPath = ({ sha256 }: { readonly sha256: string }) => paths.get(sha256) ?? ''
  const common = { threads: 1, spinning: false, workDir, weightPath } as const
  const captioner = await (await createEngine()).loadCaptioner({ ...common, manifest, picturesMax: 2 })
  const measurement = { decodeMsPerLayer: 1, prefillMsPerPositionLayer: 1, fixedMs: 0, digest: '' }
  const ready = { kind: 'captioner', captioner, manifest, measurement, memoryBytes: 1 } as const
  return { ...ready, [Symbol.asyncDispose]: () => captioner[Symbol.asyncDispose]() }
}

/** The picture of the reference, by its formula: u8 `[side, side, 3]`. */
function picture(side: number): Uint8Array {
  return Uint8Array.from({ length: 3 * side * side }, (_, index) => {
    const c = index % 3
    const x = Math.floor(index / 3) % side
    const y = Math.floor(index / (3 * side))
    const checks = ((Math.floor(x / 5) + Math.floor(y / 7)) % 2) * 90
    return (x * 7 + y * 13 + c * 50 + ((x * y * (c + 1)) % 61) * 3 + checks) % 256
  })
}

const asked: DescriptionJob = {
  rgb: picture(32),
  prompt: [],
  tokensMax: 16,
  tokensMin: 0,
  temperature: 0,
  topP: 1,
  repetitionPenalty: 1,
  seed: '1'
}

async function run(ready: ReadyCaptioner, job: Partial<DescriptionJob> = {}) {
  const sent = readDescriptionJob(writeDescriptionJob({ ...asked, ...job }))
  return readDescriptionResult(await runDescriptionJob(ready, sent, {}))
}

for (const { folder, file } of [
  { folder: 'tiny-captioner', file: 'captioner.json' },
  { folder: 'tiny-answerer', file: 'answerer.json' }
]) {
  t.test(`${folder}: a job gives the tokens that transformers generates`, async t => {
    const reference: Reference = JSON.parse(await readFile(join(fixtures, file), 'utf8'))
    await using ready = await load(folder)
    const { begin, end } = ready.manifest.config.tokens
    for (const wanted of reference.generated) {
      const [first, ...tokens] = wanted.tokens
      t.equal(first, begin)
      // the beginning of "a photography of" is three tokens, and settings of the reference count it
      const given = wanted.prompt === 'a photography of' ? 3 : 0
      const result = await run(ready, {
        prompt: tokens.slice(0, given),
        ...(reference.question === undefined ? {} : { question: [...reference.question] }),
        tokensMax: wanted.max_length - 1 - given,
        tokensMin: Math.max(0, (wanted.min_length ?? 0) - 1 - given),
        repetitionPenalty: wanted.repetition_penalty ?? 1
      })
      const written = tokens.slice(given)
      const stopped = written.at(-1) === end
      t.strictSame(result, {
        tokens: stopped ? written.slice(0, -1) : written,
        finish: stopped ? 'stop' : 'length'
      })
    }
  })
}

t.test('what is drawn follows from the seed', async t => {
  await using ready = await load('tiny-captioner')
  const hot = { temperature: 1.5, tokensMin: 12 }
  const first = await run(ready, hot)
  t.strictSame(await run(ready, hot), first)
  t.notSame(await run(ready, { ...hot, seed: '2' }), first)
})

t.test('what the model does not take is refused', async t => {
  await using ready = await load('tiny-captioner')
  await t.rejects(run(ready, { rgb: picture(31) }), { code: 'invalid_request' })
  await t.rejects(run(ready, { question: [1] }), { code: 'invalid_request' })
  await t.rejects(run(ready, { prompt: [5000] }), { code: 'invalid_request' })
  await t.rejects(run(ready, { prompt: Array(64).fill(1) }), { code: 'context_length_exceeded' })
  t.equal(ready.captioner.picturesOpen, 0)
})
