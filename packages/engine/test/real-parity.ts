import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { fetchModel, parseModelReference } from '@resultity/model'
import { argmax } from '@resultity/sampling'
import type { Engine } from '../src/index.ts'
import { convertGguf } from './convert-gguf.ts'
import { cosineOf } from './cosine.ts'
import { type Parity, sameBits } from './family-parity.ts'
import { Pipeline } from './tiny-chat.ts'

/** Where downloads of the catalogue's models lie once somebody has made them. */
const dataDir = join(import.meta.dirname, '../../../../data/test')
const fixtures = join(import.meta.dirname, '../../test/fixtures')
/** Compared at the end of each prompt. */
const POSITIONS = 6
const GAP = 0.1

/** A model of the catalogue, and where the best logits that transformers has for it are. */
export const realModels = [
  { name: 'smollm2-135m', family: 'llama', vectors: 'smollm2-logits/vectors.json' },
  { name: 'gemma3-270m', family: 'gemma3_text', vectors: 'gemma3-270m.json' }
] as const
export type RealModel = (typeof realModels)[number]

interface Vectors {
  readonly transformers?: string
  readonly versions?: { readonly transformers: string }
  /** Logits of the last positions of each prompt, best first. */
  readonly prompts: readonly {
    readonly ids: readonly number[]
    readonly topIds: readonly (readonly number[])[]
    readonly topLogits: readonly (readonly number[])[]
  }[]
}

/**
 * Compares a real model, its weights dequantized to f32, whole and as three stages.
 *
 * @returns undefined where it was not fetched before
 */
export async function measureReal(engine: Engine, { name, family, vectors }: RealModel): Promise<Parity | undefined> {
  const path = await fetchedBefore(name)
  if (path === undefined) return undefined
  const reference: Vectors = JSON.parse(await readFile(join(fixtures, vectors), 'utf8'))
  const directory = await mkdtemp(join(tmpdir(), 'real-parity-'))
  try {
    const { manifest, weightPath } = await convertGguf(path, join(directory, 'blobs'), { dequantize: true })
    const { layerCount } = manifest.config
    const run = async (ends: readonly number[]): Promise<Float32Array[]> => {
      await using pipeline = await Pipeline.load(engine, ends, (range, changes) => ({
        manifest,
        range,
        contextLength: 1024,
        sessionsMax: 1,
        threads: 2,
        spinning: false,
        weightPath,
        workDir: directory,
        ...changes
      }))
      const found: Float32Array[] = []
      for (const { ids } of reference.prompts) found.push(...(await lastLogits(pipeline, ids)))
      return found
    }
    const alone = await run([layerCount])
    const ends = [Math.floor(layerCount / 3), Math.floor((2 * layerCount) / 3), layerCount]
    const cut = await run(ends)
    const same = alone.every((logits, index) => sameBits(logits, cut[index] ?? new Float32Array(0)))
    return {
      model: name,
      family,
      reference: reference.transformers ?? reference.versions?.transformers ?? '',
      weights: 'real',
      positions: alone.length,
      ...compareBest(alone, reference),
      cuts: 1,
      otherBits: same ? [] : [`cut at ${ends}`]
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** The model's file, if it is on this machine; nothing is downloaded. */
async function fetchedBefore(name: string): Promise<string | undefined> {
  try {
    // no hub listens there, and no pip is called
    const hub = { hubUrl: 'http://127.0.0.1:9', retryMs: 0 }
    return (await fetchModel(parseModelReference(name), { dataDir, hub, pip: { pipCommands: [] } })).path
  } catch (error) {
    if (error instanceof MeshError && error.code === 'model_unavailable') return undefined
    throw error
  }
}

/** Logits of a prompt's last positions, each run by itself behind the others. */
async function lastLogits(pipeline: Pipeline, ids: readonly number[]): Promise<Float32Array[]> {
  using session = pipeline.open(1024)
  const singles = Math.max(ids.length - POSITIONS + 1, 1)
  const found = [await session.run(ids.slice(0, singles))]
  for (const id of ids.slice(singles)) found.push(await session.run([id]))
  return found
}

function compareBest(found: readonly Float32Array[], { prompts }: Vectors) {
  const positions = prompts.flatMap(({ topIds, topLogits }) =>
    topIds.slice(-POSITIONS).map((ids, index) => ({ ids, logits: topLogits.slice(-POSITIONS)[index] ?? [] }))
  )
  const wrong: string[] = []
  let cosine = positions.length === found.length ? 1 : Number.NaN
  for (const [index, { ids, logits }] of positions.entries()) {
    const ours = found[index] ?? new Float32Array(0)
    const best = ids.map(id => ours[id] ?? 0)
    cosine = Math.min(cosine, cosineOf(best, logits))
    const [first = 0, second = 0] = logits
    if (first - second > GAP && argmax(ours) !== ids[0]) wrong.push(`position ${index}`)
  }
  return { cosine, wrong }
}
