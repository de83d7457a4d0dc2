import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import type { ShownStates, StageInit } from '@resultity/engine'
import {
  type DecoderManifest,
  type LayerRange,
  requireDecoder,
  statesOfPiece,
  type WeightFile,
  weightFiles
} from '@resultity/interface'
import { convertModel, readTokenizerFiles } from '@resultity/model'

const fixtures = join(import.meta.dirname, '../../packages/blip/test/fixtures')

/** The tiny model as Hugging Face publishes them. */
export const IDEFICS = join(fixtures, 'tiny-idefics')

type Init = (range: LayerRange, changes?: Partial<StageInit>) => StageInit

/** Made by scripts/reference-idefics.py; f32 in base64. */
export interface IdeficsReference {
  readonly made_by: string
  readonly vision: readonly string[]
  readonly seen: string
  readonly shown: string
  readonly chats: readonly {
    readonly turns: readonly (readonly [role: string, parts: readonly string[]])[]
    readonly sizes: readonly (readonly [width: number, height: number])[]
    readonly prompt: readonly number[]
    readonly answer: readonly number[]
    readonly logits: string
  }[]
}

export async function ideficsReference(): Promise<IdeficsReference> {
  return JSON.parse(await readFile(join(fixtures, 'idefics.json'), 'utf8'))
}

export interface ConvertedIdefics extends AsyncDisposable {
  readonly manifest: DecoderManifest
  readonly init: Init
}

/** A tiny SmolVLM of random weights, its matrices as f32. */
export async function convertIdefics(): Promise<ConvertedIdefics> {
  await using opening = new AsyncDisposableStack()
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'tiny-idefics-')))
  opening.defer(() => rm(directory, { recursive: true, force: true }))
  const store = opening.use(await FileBlobStore.open(join(directory, 'blobs')))
  const tokenizerFiles = await readTokenizerFiles(IDEFICS)
  const converted = await convertModel(IDEFICS, { store, name: 'tiny', tokenizerFiles, dequantize: true })
  const manifest = requireDecoder(converted.manifest)
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
  const disposal = opening.move()
  return {
    manifest,
    init: (range, changes) => ({
      manifest,
      range,
      contextLength: 512,
      sessionsMax: 2,
      threads: 1,
      spinning: false,
      weightPath: (file: WeightFile) => paths.get(file.sha256) ?? '',
      workDir: directory,
      ...changes
    }),
    [Symbol.asyncDispose]: () => disposal.disposeAsync()
  }
}

/** The picture of the reference, by its formula. */
export function drawnPicture(width: number, height: number) {
  const rgb = Uint8Array.from({ length: 3 * width * height }, (_, index) => {
    const c = index % 3
    const x = Math.floor(index / 3) % width
    const y = Math.floor(index / (3 * width))
    const checks = ((Math.floor(x / 5) + Math.floor(y / 7)) % 2) * 90
    return (x * 7 + y * 13 + c * 50 + ((x * y * (c + 1)) % 61) * 3 + checks) % 256
  })
  return { width, height, rgb }
}

/** What a run of `[start, end)` of the prompt is shown. */
export function shownIn(
  { manifest }: Pick<ConvertedIdefics, 'manifest'>,
  prompt: readonly number[],
  pieces: readonly Float32Array[],
  [start, end]: readonly [start: number, end: number]
): ShownStates[] {
  const { hiddenSize } = manifest.config
  const config = manifest.sight?.config
  if (config === undefined) throw new Error('the model reads no pictures')
  const count = statesOfPiece(config)
  const at = prompt.flatMap((token, index) => (token === config.imageToken ? [index] : []))
  return at.flatMap((position, index) => {
    if (position < start || position >= end) return []
    const row = index % count
    const states = pieces[Math.floor(index / count)] ?? new Float32Array(0)
    return [{ at: position - start, states: states.subarray(row * hiddenSize, (row + 1) * hiddenSize) }]
  })
}
