import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { type BarkManifest, isBark, type TokenSynthesisJob, type WeightFile, weightFiles } from '@resultity/interface'
import { convertModel, readTokenizerFiles } from '@resultity/model'
import { createEncoderTokenizer, type EncoderTokenizer } from '@resultity/tokenizer'
import type { BarkInit } from '../src/index.ts'

const fixtures = join(import.meta.dirname, '../../../voice/test/fixtures')

/** What transformers says, greedily. */
export interface SaidCase {
  readonly text: string
  readonly ids: readonly number[]
  readonly voice: string | null
  readonly min_eos_p: number | null
  /** With the token that ends them, where one does. */
  readonly semantic: readonly number[]
  readonly coarse: readonly number[]
  /** `[codebooks, frames]`. */
  readonly fine: readonly (readonly number[])[]
  readonly audio: string
}

interface BlockStates {
  readonly tokens: readonly number[]
  readonly states: readonly string[]
  readonly logits: string
}

/** Made by scripts/reference-bark.py; f32 in base64. */
export interface BarkReference {
  readonly made_by: string
  readonly cases: readonly SaidCase[]
  readonly blocks: {
    readonly semantic: BlockStates & { readonly beside: readonly number[] }
    readonly coarse: BlockStates
    readonly fine: Omit<BlockStates, 'tokens'> & {
      readonly codebook: number
      readonly codes: readonly (readonly number[])[]
    }
    readonly codec: {
      readonly codes: readonly (readonly number[])[]
      readonly states: readonly string[]
      readonly audio: string
    }
  }
}

export async function barkReference(): Promise<BarkReference> {
  return JSON.parse(await readFile(join(fixtures, 'bark.json'), 'utf8'))
}

export interface ConvertedBark extends AsyncDisposable {
  readonly manifest: BarkManifest
  readonly tokenizer: EncoderTokenizer
  init(changes?: Partial<BarkInit>): BarkInit
}

/** The tiny Bark, imported from a checkpoint of torch. */
export async function convertBark(): Promise<ConvertedBark> {
  await using opening = new AsyncDisposableStack()
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'tiny-bark-')))
  opening.defer(() => rm(directory, { recursive: true, force: true }))
  const store = opening.use(await FileBlobStore.open(join(directory, 'blobs')))
  const path = join(fixtures, 'tiny-bark')
  const tokenizerFiles = await readTokenizerFiles(path)
  const { manifest } = await convertModel(path, { store, name: 'tiny-bark', tokenizerFiles })
  if (!isBark(manifest)) throw new Error(`${manifest.architecture} is no Bark`)
  const paths = new Map<string, string>()
  for (const { sha256 } of weightFiles(manifest)) paths.set(sha256, (await store.find(sha256)) ?? '')
  const weightPath = (file: WeightFile): string => paths.get(file.sha256) ?? ''
  const { inputVocabularySize, textOffset, inputLength } = manifest.config.semantic
  const limits = { vocabularySize: inputVocabularySize - textOffset, contextLength: inputLength + 2 }
  const common = { threads: 1, spinning: false, weightPath, workDir: directory } as const
  const disposal = opening.move()
  return {
    manifest,
    tokenizer: createEncoderTokenizer(tokenizerFiles.definition, limits),
    init: changes => ({ manifest, ...common, ...changes }),
    [Symbol.asyncDispose]: () => disposal.disposeAsync()
  }
}

/** `manifest` with the end of a case: with a probability, or without. */
export function endingAs(manifest: BarkManifest, { min_eos_p: endProbability }: SaidCase): BarkManifest {
  const { endProbability: _, ...semantic } = manifest.config.semantic
  const changed = endProbability === null ? semantic : { ...semantic, endProbability }
  return { ...manifest, config: { ...manifest.config, semantic: changed } }
}

/** A case as a node is asked for it. */
export function sentenceOf({ config }: BarkManifest, { ids, voice }: SaidCase): TokenSynthesisJob {
  const speaker = voice === null ? undefined : config.speakers[voice]
  return { tokens: [...ids], seed: '7', sentence: 0, temperature: 0, ...(speaker === undefined ? {} : { speaker }) }
}
