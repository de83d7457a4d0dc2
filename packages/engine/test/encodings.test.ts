import t from 'tap'
import { createEngine } from '../src/index.ts'
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
  { encoding: 'q8', cosine: 0.999 },
  { encoding: 'q8', split: true, untied: true, cosine: 0.999 },
  { encoding: 'q4', cosine: 0.998 },
  { encoding: 'q4', split: true, untied: true, cosine: 0.998 },
  { encoding: 'q4 corrected', cosine: 0.998 },
  { encoding: 'q4 corrected', split: true, cosine: 0.998 }
]

const prompt = Array.from({ length: 48 }, (_, index) => 8 + ((index * 37) % 740))

for (const { encoding, split = false, untied = false, cosine } of cases) {
  t.test(`${encoding}${split ? ', split' : ''}${untied ? ', untied' : ''}`, async t => {
    await using fixture = await openTinyChat()
    const { encoded, plain } = await encodeTinyChat(fixture, encoding, { split, untied })
    const wanted = await logitsOf(fixture, plain, [4])
    const found = await logitsOf(fixture, encoded, [4])
    const cosines = positions(found, fixture).map((row, index) =>
      cosineOf(row, positions(wanted, fixture)[index] ?? row)
    )
    t.ok(Math.min(...cosines) > cosine, `cosines from ${Math.min(...cosines)}`)
    for (const ends of [
      [1, 4],
      [2, 3, 4]
    ]) {
      t.same(await logitsOf(fixture, encoded, ends), found, `the same bits when cut at ${ends}`)
    }
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

function positions(logits: Float32Array, fixture: Fixture): Float32Array[] {
  const width = fixture.manifest.config.vocabularySize
  return Array.from({ length: logits.length / width }, (_, index) =>
    logits.subarray(index * width, (index + 1) * width)
  )
}

function cosineOf(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number =>
    x.reduce((sum, value, index) => sum + value * (y[index] ?? 0), 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}
