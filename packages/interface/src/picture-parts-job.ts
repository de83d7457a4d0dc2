import { createHash } from 'node:crypto'
import { z } from 'zod'
import { fromFloatBlock, readBytesMessage, toFloatBlock, writeBytesMessage } from './bytes-message.ts'
import type { TextStates } from './diffusion-model.ts'
import { MeshError } from './errors.ts'
import {
  LATENT_VALUES_MAX,
  PICTURES_ENDPOINT,
  type PictureJob,
  type PromptTokens,
  promptTokensSchema,
  readPictureJob,
  writePictureJob
} from './picture-job.ts'
import { safeParse } from './safe-parse.ts'

/** Endpoints of the jobs that one picture is, where different nodes serve the sections of its model. */
export const TEXT_ENDPOINT = `${PICTURES_ENDPOINT}/text`
export const SOURCE_ENDPOINT = `${PICTURES_ENDPOINT}/source`
export const STEPS_ENDPOINT = `${PICTURES_ENDPOINT}/steps`
export const DECODE_ENDPOINT = `${PICTURES_ENDPOINT}/decode`

/** States of both prompts of a picture: what is left of the largest job by its latents. */
export const TEXT_STATES_BYTES_MAX = 11 * 1024 * 1024

const HEAD_BYTES_MAX = 512 * 1024
const TEXT_VALUES_MAX = TEXT_STATES_BYTES_MAX / Float32Array.BYTES_PER_ELEMENT

/** What the steps of a picture need of the prompts: the negative one where each step has two runs. */
export interface StepTexts {
  readonly prompt: TextStates
  readonly negative?: TextStates
}

/** What they need of a picture that another begins with; see docs/diffusion.md. */
export interface StepSource {
  readonly begins?: Float32Array
  readonly kept?: { readonly latents: Float32Array; readonly mask: Float32Array }
  readonly beside?: Float32Array
}

/** The steps of one picture, for a node that has its denoiser and nothing else. */
export interface StepsJob {
  /** What it begins with is in `source`. */
  readonly picture: Omit<PictureJob, 'start'>
  /** Steps that are left out, of one that begins with another. */
  readonly first: number
  readonly texts: StepTexts
  readonly source: StepSource
}

const count = z.int().nonnegative().max(TEXT_VALUES_MAX)
const textSchema = z.object({ length: count.positive(), size: count.positive(), pooled: count })
const sourceSchema = z.object({
  begins: count.optional(),
  latents: count.optional(),
  mask: count.optional(),
  beside: count.optional()
})
type SourceCounts = z.infer<typeof sourceSchema>
const sha256 = z.string().length(64)

const textJobSchema = z.object({ prompt: promptTokensSchema })
const textResultSchema = z.object({ text: textSchema, sha256 })
const stepsHeadSchema = z.object({
  first: z.int().nonnegative(),
  texts: z.array(textSchema).min(1).max(2),
  source: sourceSchema,
  /** Of all blocks behind the picture. */
  sha256
})
const decodeHeadSchema = z.object({ width: z.int().positive(), height: z.int().positive() })

export function writeTextJob(prompt: PromptTokens): Uint8Array<ArrayBuffer> {
  return writeBytesMessage({ head: { prompt }, blocks: [] })
}

/** Reads the body of a job. @throws MeshError `protocol_violation` saying what is wrong with it */
export function readTextJob(body: Uint8Array): PromptTokens {
  return checked(textJobSchema, readBytesMessage(body, HEAD_BYTES_MAX)?.head).prompt
}

export function writeTextResult(text: TextStates): Uint8Array<ArrayBuffer> {
  const blocks = textBlocks(text)
  return writeBytesMessage({ head: { text: headOf(text), sha256: digestOf(blocks) }, blocks })
}

/** What a node answered. @returns undefined where it is none, or not as it was sent */
export function readTextResult(result: Uint8Array): TextStates | undefined {
  const message = readBytesMessage(result, HEAD_BYTES_MAX)
  const head = message && safeParse(textResultSchema, message.head).data
  if (message === undefined || head?.sha256 !== digestOf(message.blocks)) return undefined
  const blocks = [...message.blocks]
  const text = takeText(blocks, head.text)
  return blocks.length === 0 ? text : undefined
}

export function writeSourceResult(source: StepSource): Uint8Array<ArrayBuffer> {
  const { counts, blocks } = sourceBlocks(source)
  return writeBytesMessage({ head: { source: counts, sha256: digestOf(blocks) }, blocks })
}

/** What a node answered. @returns undefined where it is none, or not as it was sent */
export function readSourceResult(result: Uint8Array): StepSource | undefined {
  const message = readBytesMessage(result, HEAD_BYTES_MAX)
  const head = message && safeParse(z.object({ source: sourceSchema, sha256 }), message.head).data
  if (message === undefined || head?.sha256 !== digestOf(message.blocks)) return undefined
  const blocks = [...message.blocks]
  const source = takeSource(blocks, head.source)
  return blocks.length === 0 ? source : undefined
}

export function writeStepsJob({ picture, first, texts, source }: StepsJob): Uint8Array<ArrayBuffer> {
  const all = texts.negative === undefined ? [texts.prompt] : [texts.prompt, texts.negative]
  const { counts, blocks: sourced } = sourceBlocks(source)
  const blocks = [...all.flatMap(textBlocks), ...sourced]
  const head: z.infer<typeof stepsHeadSchema> = {
    first,
    texts: all.map(headOf),
    source: counts,
    sha256: digestOf(blocks)
  }
  return writeBytesMessage({ head, blocks: [writePictureJob(picture), ...blocks] })
}

/** Reads the body of a job. @throws MeshError `protocol_violation` saying what is wrong with it */
export function readStepsJob(body: Uint8Array): StepsJob {
  const message = readBytesMessage(body, HEAD_BYTES_MAX)
  const head = checked(stepsHeadSchema, message?.head)
  const [job = new Uint8Array(), ...blocks] = message?.blocks ?? []
  const { start, ...picture } = readPictureJob(job)
  if (start !== undefined) throw wrongBody('at start: its pixels are there')
  if (head.first >= picture.steps) throw wrongBody('at first: it leaves no step to make')
  if (head.sha256 !== digestOf(blocks)) throw wrongBody('at sha256: the bytes are others')
  const [prompt, negative] = head.texts.map(text => takeText(blocks, text))
  const source = takeSource(blocks, head.source)
  if (prompt === undefined || source === undefined || blocks.length > 0)
    throw wrongBody('its numbers are not as it says')
  if (head.texts.length === 2 && negative === undefined) throw wrongBody('at texts: one has what are no numbers')
  return { picture, first: head.first, texts: { prompt, ...(negative && { negative }) }, source }
}

/** What a node answers that has made all steps: the last told the state. */
export function writeStepsResult(): Uint8Array<ArrayBuffer> {
  return writeBytesMessage({ head: {}, blocks: [] })
}

/** Latents of a picture, as the sampler leaves them. */
export interface DecodeJob {
  /** Pixels of the picture. */
  readonly width: number
  readonly height: number
  readonly latents: Float32Array
}

export function writeDecodeJob({ width, height, latents }: DecodeJob): Uint8Array<ArrayBuffer> {
  return writeBytesMessage({ head: { width, height }, blocks: [toFloatBlock(latents)] })
}

/** Reads the body of a job. @throws MeshError `protocol_violation` saying what is wrong with it */
export function readDecodeJob(body: Uint8Array): DecodeJob {
  const message = readBytesMessage(body, HEAD_BYTES_MAX)
  const head = checked(decodeHeadSchema, message?.head)
  const [block, ...others] = message?.blocks ?? []
  const values = (block?.length ?? 0) / Float32Array.BYTES_PER_ELEMENT
  const latents = others.length > 0 || values > LATENT_VALUES_MAX ? undefined : fromFloatBlock(block, values)
  if (latents === undefined || values === 0) throw wrongBody('at latents: they are no numbers')
  return { ...head, latents }
}

function headOf({ length, size, pooled }: TextStates): z.infer<typeof textSchema> {
  return { length, size, pooled: pooled.length }
}

function textBlocks({ states, pooled }: TextStates): Uint8Array[] {
  return [toFloatBlock(states), toFloatBlock(pooled)]
}

function takeText(blocks: Uint8Array[], { length, size, pooled }: z.infer<typeof textSchema>): TextStates | undefined {
  const [states, whole] = blocks.splice(0, 2)
  const [rows, vector] = [fromFloatBlock(states, length * size), fromFloatBlock(whole, pooled)]
  return rows && vector && { states: rows, pooled: vector, length, size }
}

function sourceBlocks({ begins, kept, beside }: StepSource): {
  readonly counts: SourceCounts
  readonly blocks: Uint8Array[]
} {
  const named = { begins, latents: kept?.latents, mask: kept?.mask, beside }
  const there = Object.entries(named).flatMap(([name, values]) => (values === undefined ? [] : [{ name, values }]))
  return {
    counts: Object.fromEntries(there.map(({ name, values }) => [name, values.length])),
    blocks: there.map(({ values }) => toFloatBlock(values))
  }
}

function takeSource(blocks: Uint8Array[], counts: SourceCounts): StepSource | undefined {
  const take = (values: number | undefined): Float32Array | undefined =>
    values === undefined ? undefined : fromFloatBlock(blocks.shift(), values)
  const [begins, latents, mask, beside] = [
    take(counts.begins),
    take(counts.latents),
    take(counts.mask),
    take(counts.beside)
  ]
  const read = { begins, latents, mask, beside }
  const whole = (Object.keys(read) as (keyof typeof read)[]).every(
    name => (counts[name] === undefined) === (read[name] === undefined)
  )
  if (!whole || (latents === undefined) !== (mask === undefined)) return undefined
  return { ...(begins && { begins }), ...(latents && mask && { kept: { latents, mask } }), ...(beside && { beside }) }
}

function digestOf(blocks: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const block of blocks) hash.update(block)
  return hash.digest('hex')
}

function checked<Output>(schema: z.ZodType<Output>, head: unknown): Output {
  const { data, error } = safeParse(schema, head)
  if (error === undefined) return data
  const [issue] = error.issues
  throw wrongBody(`at ${issue?.path.join('.')}: ${issue?.message}`)
}

function wrongBody(what: string): MeshError {
  return new MeshError('protocol_violation', `the body of the job is wrong: ${what}`)
}
