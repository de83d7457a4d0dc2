import { processTuning } from '@resultity/runtime-tuning'
import { barkFiles, buildBarkCodecGraph, buildBarkFineGraph, buildBarkWrittenGraph } from '@resultity/voice'
import { Tensor } from 'onnxruntime-node'
import { GraphSource } from '../src/graph-source.ts'
import { createEngine } from '../src/index.ts'
import { createNodeSession } from '../src/node/node-runtime.ts'
import { cosineOf } from './cosine.ts'
import { markdownTable } from './markdown-table.ts'
import {
  type BarkReference,
  barkReference,
  type ConvertedBark,
  convertBark,
  endingAs,
  sentenceOf
} from './tiny-bark.ts'
import { floatsOfBase64 } from './tiny-blip.ts'

/** How Bark compares with transformers. */
export interface BarkParity {
  readonly madeBy: string
  /** Behind every layer of all four parts, and what each gives. */
  readonly cosines: readonly number[]
  /** Tokens of the three transformers, and how many of them are the same. */
  readonly tokens: number
  readonly same: number
  /** Of the worst waveform, in dB. */
  readonly signalToNoise: number
}

const COSINE_MIN = 0.9995
const SIGNAL_TO_NOISE_MIN = 40

/** Whether all states are the reference's, all tokens, and all waveforms. */
export function saysAlike({ cosines, tokens, same, signalToNoise }: BarkParity): boolean {
  const close = cosines.length > 0 && cosines.every(cosine => cosine >= COSINE_MIN)
  return close && tokens > 0 && same === tokens && signalToNoise >= SIGNAL_TO_NOISE_MIN
}

/** Imports the tiny Bark, runs its graphs on what the reference had, and has it say what the reference said. */
export async function measureBark(): Promise<BarkParity> {
  const reference = await barkReference()
  await using converted = await convertBark()
  const cosines = await compareBlocks(converted, reference)
  const engine = await createEngine()
  let [tokens, same, signalToNoise] = [0, 0, Number.POSITIVE_INFINITY]
  for (const wanted of reference.cases) {
    const manifest = endingAs(converted.manifest, wanted)
    await using voice = await engine.loadBark(converted.init({ manifest }))
    const said = await voice.tell(sentenceOf(manifest, wanted))
    const { semantic, codec } = manifest.config
    const codes = wanted.coarse.map(token => (token - semantic.semanticCount) % codec.codebookSize)
    const pairs = [
      [said.semantic, wanted.semantic.filter(token => token !== semantic.end)],
      [said.coarse.flat(), codes],
      [said.fine.flat(), wanted.fine[0]?.flatMap((_, frame) => wanted.fine.map(row => row[frame] ?? -1)) ?? []]
    ] as const
    for (const [found, expected] of pairs) {
      tokens += Math.max(found.length, expected.length)
      same += expected.filter((token, at) => token === found[at]).length
    }
    signalToNoise = Math.min(signalToNoise, decibels(said.samples, floatsOfBase64(wanted.audio)))
  }
  return { madeBy: reference.made_by, cosines, tokens, same, signalToNoise }
}

type Feeds = Readonly<Record<string, Tensor>>
type Built = { readonly bytes: Uint8Array }

const i64 = (values: readonly number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length])
const i32 = (values: readonly number[], ...shape: number[]): Tensor =>
  new Tensor('int32', Int32Array.from(values), shape)

async function runsOf<Graph extends Built>(
  { init }: ConvertedBark,
  part: Parameters<typeof barkFiles>[1],
  build: (init: Parameters<typeof buildBarkFineGraph>[0]) => Graph,
  feeds: (graph: Graph) => Feeds,
  edges: (graph: Graph) => readonly string[]
): Promise<Float32Array[]> {
  const { manifest } = init()
  await using source = await GraphSource.forComponent(init(), barkFiles(manifest, part), graph =>
    build({ ...graph, everyState: true })
  )
  const session = await createNodeSession(source, init(), processTuning(false))
  const results = await session.run(feeds(source.graph))
  await session.release()
  return edges(source.graph).map(edge => Float32Array.from(results[edge]?.data as Float32Array))
}

async function compareBlocks(converted: ConvertedBark, { blocks }: BarkReference): Promise<number[]> {
  const { config } = converted.manifest
  const compared: number[] = []
  const compare = (found: readonly Float32Array[], wanted: readonly string[]): void => {
    if (found.length !== wanted.length)
      throw new Error(`${found.length} states, and the reference has ${wanted.length}`)
    for (const [at, each] of found.entries()) {
      const expected = floatsOfBase64(wanted[at])
      if (each.length !== expected.length)
        throw new Error(`state ${at} has ${each.length} numbers, not ${expected.length}`)
      compared.push(cosineOf(each, expected))
    }
  }
  for (const part of ['semantic', 'coarse'] as const) {
    const { tokens, states, logits } = blocks[part]
    const { headCount, context, hiddenSize } = config[part]
    const shape = [1, headCount, context, hiddenSize / headCount]
    const found = await runsOf(
      converted,
      part,
      init => buildBarkWrittenGraph(init, part),
      graph => ({
        [graph.tokens]: i32(tokens, 1, tokens.length),
        [graph.beside]: i32(part === 'semantic' ? blocks.semantic.beside : tokens.map(() => -1), 1, tokens.length),
        [graph.positions]: i64([...tokens.keys()]),
        [graph.firstRow]: i64([0]),
        [graph.lastPosition]: i32([tokens.length - 1], 1),
        [graph.totalPositions]: i32([tokens.length]),
        ...Object.fromEntries(
          graph.cache.map(({ past }) => [past, new Tensor('float32', new Float32Array(context * hiddenSize), shape)])
        )
      }),
      graph => [...graph.states, graph.logits]
    )
    compare(found, [...states, logits])
  }
  const { codebook, codes, ...fine } = blocks.fine
  const size = config.fine.vocabularySize
  const rows = codes.flatMap(frame => frame.slice(0, codebook + 1).map((code, book) => book * size + code))
  const refined = await runsOf(
    converted,
    'fine',
    buildBarkFineGraph,
    graph => ({
      [graph.rows]: i32(rows, codes.length, codebook + 1),
      [graph.answers]: i32(
        [...Array(size).keys()].map(code => codebook * size + code),
        size
      )
    }),
    graph => [...graph.states, graph.logits]
  )
  compare(refined, [...fine.states, fine.logits])
  const { codes: books, states, audio } = blocks.codec
  const frames = books[0]?.length ?? 0
  const looked = Array.from({ length: frames }, (_, frame) =>
    books.map((row, book) => book * config.codec.codebookSize + (row[frame] ?? 0))
  )
  const sounds = await runsOf(
    converted,
    'codec',
    buildBarkCodecGraph,
    graph => ({ [graph.rows]: i32(looked.flat(), frames, books.length) }),
    graph => [...graph.states, graph.samples]
  )
  compare(sounds, [...withoutActivations(states, config.codec.residualCount), audio])
  return compared
}

/** The reference shows what is behind activations too: one before each part that makes it longer, and before the last. */
function withoutActivations(states: readonly string[], residualCount: number): string[] {
  return states.slice(0, -1).filter((_, at) => at < 2 || (at - 2) % (2 + residualCount) !== 0)
}

/** In dB; -∞ for recordings of different lengths. */
function decibels(found: Float32Array, wanted: Float32Array): number {
  if (found.length !== wanted.length) return -Infinity
  const signal = wanted.reduce((sum, sample) => sum + sample ** 2, 0)
  const noise = found.reduce((sum, sample, at) => sum + (sample - (wanted[at] ?? 0)) ** 2, 0)
  return 10 * Math.log10(signal / noise)
}

const HEADER = ['system', 'transformers', 'weights', 'states', 'cosine', 'tokens', 'waveform', ''] as const

/** A table in Markdown, of one row. */
export function barkTable(row: BarkParity): string {
  return markdownTable(HEADER, [
    [
      'Bark',
      /transformers (\S+?),/.exec(row.madeBy)?.[1] ?? '',
      'tiny, random',
      String(row.cosines.length),
      // rounded down to six digits: processors differ in the seventh
      `≥ ${(Math.floor(Math.min(...row.cosines) * 1e6) / 1e6).toFixed(6)}`,
      `${row.same} of ${row.tokens}`,
      `≥ ${Math.min(80, Math.floor(row.signalToNoise))} dB`,
      saysAlike(row) ? 'green' : 'red'
    ]
  ])
}
