import { processTuning } from '@resultity/runtime-tuning'
import { Tensor } from 'onnxruntime-node'
import { GraphSource } from '../src/graph-source.ts'
import { createEngine } from '../src/index.ts'
import { createNodeSession } from '../src/node/node-runtime.ts'
import { cosineOf } from './cosine.ts'
import { markdownTable } from './markdown-table.ts'
import {
  type BlipReference,
  type ConvertedBlip,
  convertBlip,
  floatsOfBase64,
  generateGreedily,
  referenceOf,
  type TinyBlip
} from './tiny-blip.ts'

/** What one edge has, beside the reference's. */
interface ComparedFigure {
  readonly name: string
  readonly cosine: number
  /** The largest difference, over the largest number. */
  readonly error: number
}

/** How a model that describes pictures compares with transformers. */
export interface CaptionParity {
  readonly system: string
  readonly madeBy: string
  readonly figures: readonly ComparedFigure[]
  /** Texts that the reference generated, and how many of them are the same, token by token. */
  readonly texts: number
  readonly same: number
}

/** Rounding alone: f32 has seven digits, and sums are long. */
const ERROR_MAX = 2e-5
const COSINE_MIN = 0.999999

/** Whether all states are the reference's, and all texts. */
export function describesAlike({ figures, texts, same }: CaptionParity): boolean {
  const close = figures.every(({ cosine, error }) => cosine >= COSINE_MIN && error < ERROR_MAX)
  return figures.length > 0 && close && texts > 0 && same === texts
}

/** Imports a tiny model, runs its graphs on what the reference had, and has it write what the reference wrote. */
export async function measureCaptioning(blip: TinyBlip): Promise<CaptionParity> {
  const reference = await referenceOf(blip)
  await using converted = await convertBlip(blip.folder)
  const figures = await compareStates(converted, reference)
  const engine = await createEngine()
  await using model = await engine.loadCaptioner(converted.init())
  let same = 0
  for (const wanted of reference.generated) {
    const tokens = await generateGreedily(model, converted, wanted, reference.question)
    const alike = tokens.join() === wanted.tokens.join() && converted.tokenizer.decode(tokens) === wanted.text
    if (alike) same++
  }
  return { system: blip.system, madeBy: reference.made_by, figures, texts: reference.generated.length, same }
}

type Outputs = Readonly<Record<string, Tensor>>

const i64 = (values: readonly number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length])
const i32 = (values: readonly number[], ...shape: number[]): Tensor =>
  new Tensor('int32', Int32Array.from(values), shape)

/** The states behind every layer, and the logits of every position. */
async function compareStates(converted: ConvertedBlip, reference: BlipReference): Promise<ComparedFigure[]> {
  await using sight = await GraphSource.forSight({ ...converted.init(), everyState: true })
  await using caption = await GraphSource.forCaption({ ...converted.init(), everyState: true })
  const seen = await lookAt(sight, converted, reference)
  const written = await write(caption, converted, reference, seen)
  const compared = (edges: readonly string[], outputs: Outputs, wanted: readonly string[]): ComparedFigure[] => {
    if (edges.length !== wanted.length)
      throw new Error(`${edges.length} states, and the reference has ${wanted.length}`)
    return edges.map((edge, at) => comparedFigure(edge, outputs[edge], floatsOfBase64(wanted[at])))
  }
  return [
    ...compared(sight.graph.seen, seen, [...reference.vision, reference.seen]),
    ...compared(sight.graph.asked, seen, reference.asked ?? []),
    ...compared(caption.graph.states, written, reference.text),
    ...compared([caption.graph.logits], written, [reference.logits])
  ]
}

async function lookAt(
  source: Awaited<ReturnType<typeof GraphSource.forSight>>,
  { manifest, pixels, init }: ConvertedBlip,
  { question }: BlipReference
): Promise<Outputs> {
  const { graph } = source
  const { imageSize } = manifest.config
  const session = await createNodeSession(source, init(), processTuning(false))
  const results = await session.run({
    [graph.pixels]: new Tensor('float32', pixels, [1, 3, imageSize, imageSize]),
    ...(graph.question !== undefined &&
      question !== undefined && {
        [graph.question.tokens]: i32(question, 1, question.length),
        [graph.question.positions]: i64([...question.keys()])
      })
  })
  await session.release()
  return results as Outputs
}

async function write(
  source: Awaited<ReturnType<typeof GraphSource.forCaption>>,
  { manifest, init }: ConvertedBlip,
  { tokens }: BlipReference,
  seen: Outputs
): Promise<Outputs> {
  const { graph } = source
  const { text, textContext } = manifest.config
  const shape = [1, text.headCount, textContext, text.hiddenSize / text.headCount]
  const empty = (): Tensor => new Tensor('float32', new Float32Array(textContext * text.hiddenSize), shape)
  const about = graph.cross.flatMap(({ keys, values }) => [keys, values])
  const session = await createNodeSession(source, init(), processTuning(false))
  const results = await session.run({
    [graph.tokens]: i32(tokens, 1, tokens.length),
    [graph.positions]: i64([...tokens.keys()]),
    [graph.firstRow]: i64([0]),
    [graph.lastPosition]: i32([tokens.length - 1], 1),
    [graph.totalPositions]: i32([tokens.length]),
    ...Object.fromEntries(graph.cache.map(({ past }) => [past, empty()])),
    ...Object.fromEntries(about.flatMap(edge => (seen[edge] === undefined ? [] : [[edge, seen[edge]]])))
  })
  await session.release()
  return results as Outputs
}

function comparedFigure(name: string, tensor: Tensor | undefined, wanted: Float32Array): ComparedFigure {
  const found = tensor?.data
  if (!(found instanceof Float32Array) || found.length !== wanted.length) throw new Error(`${name} is of another size`)
  const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
  const error = found.reduce((most, x, at) => Math.max(most, Math.abs(x - (wanted[at] ?? Number.NaN))), 0)
  return { name, cosine: cosineOf(found, wanted), error: error / largest }
}

const HEADER = ['system', 'transformers', 'weights', 'figures', 'cosine', 'off by', 'texts', ''] as const

/** A table in Markdown, a row for each system. */
export function captionsTable(rows: readonly CaptionParity[]): string {
  return markdownTable(
    HEADER,
    rows.map(row => {
      const cosine = Math.min(...row.figures.map(figure => figure.cosine))
      return [
        row.system,
        /transformers (\S+?),/.exec(row.madeBy)?.[1] ?? '',
        'tiny, random',
        String(row.figures.length),
        // rounded down to six digits: processors differ in the seventh
        `≥ ${(Math.floor(cosine * 1e6) / 1e6).toFixed(6)}`,
        `< ${ERROR_MAX}`,
        `${row.same} of ${row.texts}`,
        describesAlike(row) ? 'green' : 'red'
      ]
    })
  )
}
