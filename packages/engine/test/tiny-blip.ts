import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lookedAt } from '@resultity/blip'
import { FileBlobStore } from '@resultity/blobs'
import {
  type Captioner,
  type CaptionManifest,
  requireCaptioner,
  type WeightFile,
  weightFiles
} from '@resultity/interface'
import { convertModel, readTokenizerFiles } from '@resultity/model'
import { TokenSampler } from '@resultity/sampling'
import { createEncoderTokenizer, type EncoderTokenizer } from '@resultity/tokenizer'
import type { CaptionerInit } from '../src/index.ts'

const fixtures = join(import.meta.dirname, '../../../blip/test/fixtures')

/** What `generate` of transformers makes; `min_length` and `max_length` count the prompt, as there. */
export interface Generated {
  readonly prompt: string | null
  readonly max_length: number
  readonly min_length?: number
  readonly repetition_penalty?: number
  readonly tokens: readonly number[]
  readonly text: string
}

/** Made by scripts/reference-blip.py; f32 in base64. */
export interface BlipReference {
  readonly made_by: string
  readonly vision: readonly string[]
  readonly seen: string
  readonly question?: readonly number[]
  readonly asked?: readonly string[]
  readonly tokens: readonly number[]
  readonly text: readonly string[]
  readonly logits: string
  readonly generated: readonly Generated[]
}

/** A tiny model of random weights, and what transformers makes of it. */
export const tinyBlips = [
  { system: 'BLIP for captions', folder: 'tiny-captioner', file: 'captioner.json' },
  { system: 'BLIP for questions', folder: 'tiny-answerer', file: 'answerer.json' }
] as const
export type TinyBlip = (typeof tinyBlips)[number]

export async function referenceOf({ file }: Pick<TinyBlip, 'file'>): Promise<BlipReference> {
  return JSON.parse(await readFile(join(fixtures, file), 'utf8'))
}

export function floatsOfBase64(base64: string | undefined): Float32Array {
  const bytes = Buffer.from(base64 ?? '', 'base64')
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

/** A converted model, and the picture of its reference as it looks at it. */
export interface ConvertedBlip extends AsyncDisposable {
  readonly manifest: CaptionManifest
  readonly pixels: Float32Array
  readonly tokenizer: EncoderTokenizer
  init(changes?: Partial<CaptionerInit>): CaptionerInit
}

export async function convertBlip(folder: TinyBlip['folder']): Promise<ConvertedBlip> {
  await using opening = new AsyncDisposableStack()
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'tiny-blip-')))
  opening.defer(() => rm(directory, { recursive: true, force: true }))
  const store = opening.use(await FileBlobStore.open(join(directory, 'blobs')))
  const path = join(fixtures, folder)
  const tokenizerFiles = await readTokenizerFiles(path)
  const manifest = requireCaptioner((await convertModel(path, { store, name: 'tiny', tokenizerFiles })).manifest)
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
  const weightPath = (file: WeightFile): string => paths.get(file.sha256) ?? ''
  const { imageSize, textContext: contextLength, vocabularySize } = manifest.config
  const common = { threads: 1, spinning: false, picturesMax: 2, weightPath, workDir: directory } as const
  const disposal = opening.move()
  return {
    manifest,
    pixels: lookedAt(picture(imageSize), manifest.config),
    tokenizer: createEncoderTokenizer(tokenizerFiles.definition, { contextLength, vocabularySize }),
    init: changes => ({ manifest, ...common, ...changes }),
    [Symbol.asyncDispose]: () => disposal.disposeAsync()
  }
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

/** As `generate` does: the likeliest token, again and again, by the rules of the engine's own sampler. */
export async function generateGreedily(
  model: Captioner,
  { pixels, tokenizer }: ConvertedBlip,
  wanted: Generated,
  question: readonly number[] | undefined
): Promise<number[]> {
  const { begin, end } = model.config.tokens
  const begun = question === undefined && wanted.prompt !== null ? tokenizer.encode(wanted.prompt).slice(1, -1) : []
  const tokens = [begin, ...begun]
  const sampler = new TokenSampler({
    sampling: { temperature: 0, topP: 1, seed: 0n, repetitionPenalty: wanted.repetition_penalty ?? 1 },
    promptTokens: tokens,
    endTokens: [end],
    tokensMin: Math.max(0, (wanted.min_length ?? 0) - tokens.length)
  })
  using text = await model.look(pixels, question === undefined ? {} : { question })
  for (let next = tokens.slice(); tokens.length < wanted.max_length && tokens.at(-1) !== end; ) {
    const token = sampler.next(await text.run(next), tokens.length)
    tokens.push(token)
    next = [token]
  }
  return tokens
}
