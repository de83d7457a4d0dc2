import { join } from 'node:path'
import { writeRandomGguf } from '@resultity/formats'
import t from 'tap'
import { createEngine } from '../src/index.ts'
import { convertGguf } from './convert-gguf.ts'
import { type Encoding, encodeTinyChat, type Variant } from './quantized-tiny-chat.ts'
import { type Fixture, openTinyChat, Pipeline } from './tiny-chat.ts'

interface Case {
  readonly encoding: Encoding
  readonly split?: boolean
  readonly untied?: boolean
  /** Least cosine between the logits and those of the same values in f32. */
  readonly cosine: number
}

/** Products of quantized matrices round the activations to 8 bits per block; half precision is computed in f32. */
const cases: readonly Case[] = [
  { encoding: 'f16', cosine: 0.999_999_9 },
  { encoding: 'bf16', untied: true, cosine: 0.999_999_9 },
  { encoding: 'q8', cosine: 0.998 },
  { encoding: 'q8', split: true, untied: true, cosine: 0.998 },
  { encoding: 'q4', cosine: 0.998 },
  { encoding: 'q4', split: true, untied: true, cosine: 0.998 }
]

const prompt = Array.from({ length: 48 }, (_, index) => 8 + ((index * 37) % 290))

const SHAPE = {
  layerCount: 3,
  hiddenSize: 192,
  intermediateSize: 544,
  headCount: 6,
  kvHeadCount: 2,
  vocabularySize: 300,
  contextLength: 512
}

for (const { encoding, split = false, untied = false, cosine } of cases) {
  t.test(`${encoding}${split ? ', split' : ''}${untied ? ', untied' : ''}`, async t => {
    await using fixture = await openTinyChat()
    const { encoded, plain } = await encodeTinyChat(fixture, encoding, { split, untied })
    const wanted = await logitsOf(fixture, plain, [4])
    const found = await logitsOf(fixture, encoded, [4])
    const width = fixture.manifest.config.vocabularySize
    const cosines = rowsOf(found, width).map((row, index) => cosineOf(row, rowsOf(wanted, width)[index] ?? row))
    t.ok(Math.min(...cosines) > cosine, `cosines from ${Math.min(...cosines)}`)
    for (const ends of [
      [1, 4],
      [2, 3, 4]
    ]) {
      t.same(await logitsOf(fixture, encoded, ends), found, `the same bits when cut at ${ends}`)
    }
  })
}

for (const tiedEmbedding of [true, false]) {
  t.test(`a GGUF with minima per block, ${tiedEmbedding ? 'tied' : 'untied'}`, async t => {
    await using fixture = await openTinyChat()
    const path = join(fixture.workDir, '..', 'minima.gguf')
    // block counts that no quantized block of means divides: 6 of the hidden size, 17 of the intermediate one
    const shape = { ...SHAPE, tiedEmbedding }
    await writeRandomGguf(path, { shape, seed: 5, encoding: 'Q4_1' })
    const directory = join(fixture.workDir, '..')
    const plain = await convertGguf(path, join(directory, 'plain'), { dequantize: true })
    const stored = await convertGguf(path, join(directory, 'stored'))
    t.ok(stored.manifest.layers[0]?.tensors.some(tensor => 'meanColumns' in tensor))
    const wanted = await logitsOf(fixture, plain, [3])
    const found = await logitsOf(fixture, stored, [3])
    const width = shape.vocabularySize
    const cosines = rowsOf(found, width).map((row, index) => cosineOf(row, rowsOf(wanted, width)[index] ?? row))
    t.ok(Math.min(...cosines) > 0.999, `cosines from ${Math.min(...cosines)}`)
    t.same(await logitsOf(fixture, stored, [1, 3]), found, 'the same bits when cut')
  })
}

/** Logits of every position, with a few steps of one position at the end. */
async function logitsOf(fixture: Fixture, variant: Variant, ends: readonly number[]): Promise<Float32Array> {
  await using pipeline = await Pipeline.load(await createEngine(), ends, fixture.init, { ...variant, logits: 'all' })
  using session = pipeline.open()
  const parts = [await session.run(prompt.slice(0, 40))]
  for (const token of prompt.slice(40)) parts.push(await session.run([token]))
  return Float32Array.from(parts.flatMap(part => [...part]))
}

function rowsOf(logits: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: logits.length / width }, (_, index) =>
    logits.subarray(index * width, (index + 1) * width)
  )
}

function cosineOf(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number =>
    x.reduce((sum, value, index) => sum + value * (y[index] ?? 0), 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}
