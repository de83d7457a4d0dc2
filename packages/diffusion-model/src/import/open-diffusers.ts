import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  chooseComponentWeights,
  type NamedTensors,
  openSafetensorsFiles,
  readOptionalFolderText,
  TensorFinder,
  type WeightFilePlan
} from '@resultity/formats'
import { type DiffusionConfig, type DiffusionManifest, modelInvalid } from '@resultity/interface'
import { GraphWriter } from '@resultity/onnx-graph'
import type { Blocks } from '../graph/blocks.ts'
import { pictureDecoderGraph, pictureEncoderGraph } from '../graph/coder-graphs.ts'
import { denoiserGraph } from '../graph/denoiser-graph.ts'
import { priorGraph } from '../graph/prior-graph.ts'
import { clipSightGraph } from '../graph/sight-graph.ts'
import { textEncoderGraph } from '../graph/text-graph.ts'
import { type AskedWeight, NotedWeights } from '../graph/weights.ts'
import type { ClipTokenizer } from './clip-tokenizer.ts'
import { DENOISER_FOLDER, type DescribedFolder, describeDiffusersFolder, MODEL_INDEX } from './diffusers-folder.ts'
import {
  coderNaming,
  denoiserNaming,
  embeddingDenoiserNaming,
  type Naming,
  priorNaming,
  sightNaming,
  textNaming
} from './naming.ts'
import { findWeights, planFiles } from './weight-plan.ts'

/** A diffusion model, described and laid out, before any of its weights is read. */
export interface DiffusionSource extends Disposable {
  readonly config: DiffusionConfig
  readonly tokenizers: readonly ClipTokenizer[]
  readonly parts: DiffusionManifest['parts']
  /** The weight files of all parts in the manifest's order. */
  readonly files: readonly WeightFilePlan[]
}

/** Whether a folder is in the layout of diffusers. */
export function isDiffusersFolder(directory: string): boolean {
  return existsSync(join(directory, MODEL_INDEX))
}

/**
 * Opens a folder in the layout of diffusers. The caller disposes of it.
 *
 * @throws MeshError `model_invalid` for a field or a tensor that is wrong, missing or unknown
 */
export function openDiffusersFolder(directory: string): DiffusionSource {
  const described = describeDiffusersFolder(path => readOptionalFolderText(join(directory, path)))
  using opening = new DisposableStack()
  const laid = layOut(described, folder => {
    const path = join(directory, folder)
    const opened = openSafetensorsFiles(componentPaths(path, folder))
    opening.defer(opened.dispose)
    return { path, tensors: opened.tensors }
  })
  const { config, tokenizers } = described
  const opened = opening.move()
  return { config, tokenizers, ...laid, [Symbol.dispose]: () => opened.dispose() }
}

/**
 * Finds every tensor of every component, and says in which files of ours they lie.
 *
 * @param open gives a component's tensors
 * @throws MeshError `model_invalid` for a tensor that is missing, unknown or of another shape
 */
export function layOut(
  { config, textFolders, coderFolder, priorFolders }: Omit<DescribedFolder, 'tokenizers'>,
  open: (folder: string) => ComponentTensors
): Pick<DiffusionSource, 'parts' | 'files'> {
  const textEncoders = textFolders.map((folder, index) => textFiles(open(folder), config, index))
  const denoiser = denoiserFiles(open(DENOISER_FOLDER), config)
  const { decoder, encoder } = coderFiles(open(coderFolder), config)
  const [prior, sight] = priorFiles(priorFolders.map(open), config)
  return {
    parts: {
      textEncoders: textEncoders.map(({ length }) => length),
      denoiser: denoiser.length,
      decoder: decoder.length,
      encoder: encoder.length,
      ...(prior && { prior: prior.length }),
      ...(sight && { sight: sight.length })
    },
    files: [...textEncoders.flat(), ...denoiser, ...decoder, ...encoder, ...(prior ?? []), ...(sight ?? [])]
  }
}

/** Of transformers' components and of diffusers' own. */
const STEMS = { text: 'model', other: 'diffusion_pytorch_model' } as const

/** How the weights of a component are named before `.safetensors`. */
export function weightStem(folder: string): string {
  return /^(prior_)?(text|image)_encoder/.test(folder) ? STEMS.text : STEMS.other
}

/** What one component has. */
export interface ComponentTensors {
  /** Names the component in errors. */
  readonly path: string
  readonly tensors: NamedTensors
}

function componentPaths(directory: string, folder: string): string[] {
  if (!existsSync(directory)) throw modelInvalid(directory, 'is not there', 'Download the whole folder.')
  const names = readdirSync(directory)
  const choice = chooseComponentWeights(names, weightStem(folder))
  if ('problem' in choice) throw modelInvalid(directory, choice.problem, choice.hint)
  return choice.files.map(name => join(directory, name))
}

/** What a graph asks for. */
export function askedBy(build: (blocks: Blocks) => unknown): readonly AskedWeight[] {
  const weights = new NotedWeights()
  build({ graph: new GraphWriter(), weights })
  return weights.asked
}

const UNKNOWN = 'supported are components as diffusers and transformers publish them'

function textFiles({ path, tensors }: ComponentTensors, config: DiffusionConfig, index: number): WeightFilePlan[] {
  const encoder = config.textEncoders[index]
  if (encoder === undefined) throw new RangeError(`no text encoder ${index}`)
  const finder = new TensorFinder(path, tensors)
  const prefix = tensors.get('text_model.embeddings.token_embedding.weight') === undefined ? '' : 'text_model.'
  const found = findWeights(
    finder,
    askedBy(blocks => textEncoderGraph(blocks, encoder)),
    textNaming(prefix)
  )
  // what comes behind the states that are taken
  const unused = new RegExp(
    `^${prefix}(encoder\\.layers\\.${encoder.layerCount - 1}\\.|final_layer_norm\\.)|^text_projection\\.`
  )
  finder.refuseOthers(name => unused.test(name), 'CLIP', UNKNOWN)
  return planFiles(found)
}

/** Of a denoiser's file, which part of it a node that serves some resolutions only would need. */
function levelOf(name: string): string {
  return /^((down|up)\.\d+|middle)\./.exec(name)?.[1] ?? 'ends'
}

function denoiserFiles({ path, tensors }: ComponentTensors, config: DiffusionConfig): WeightFilePlan[] {
  const finder = new TensorFinder(path, tensors)
  const asked = askedBy(blocks => denoiserGraph(blocks, config.denoiser))
  const found = findWeights(finder, asked, config.denoiser.embedding ? embeddingDenoiserNaming : denoiserNaming)
  finder.refuseOthers(() => false, 'UNet', UNKNOWN)
  return planFiles(found, levelOf)
}

function coderFiles(
  { path, tensors }: ComponentTensors,
  { coder }: DiffusionConfig
): { decoder: WeightFilePlan[]; encoder: WeightFilePlan[] } {
  const finder = new TensorFinder(path, tensors)
  const old = tensors.get('decoder.mid_block.attentions.0.query.weight') !== undefined
  const decoder = askedBy(blocks => pictureDecoderGraph(blocks, coder))
  const encoder = askedBy(blocks => pictureEncoderGraph(blocks, coder))
  const found = {
    decoder: findWeights(finder, decoder, coderNaming('decoder', old)),
    encoder: findWeights(finder, encoder, coderNaming('encoder', old))
  }
  // latents are drawn as they are, and not as the codebook's that are next to them
  const codebook = (name: string): boolean => coder.latentNorm !== undefined && name === 'quantize.embedding.weight'
  finder.refuseOthers(codebook, coder.latentNorm === undefined ? 'AutoencoderKL' : 'MoVQ', UNKNOWN)
  return { decoder: planFiles(found.decoder), encoder: planFiles(found.encoder) }
}

/** Of a prior, and of what looks at pictures beside it. */
function priorFiles(opened: readonly ComponentTensors[], { prior }: DiffusionConfig): WeightFilePlan[][] {
  if (prior === undefined) return []
  const [priorTensors, sightTensors] = opened
  if (priorTensors === undefined || sightTensors === undefined) throw new RangeError('no folders of a prior')
  const filesOf = (
    { path, tensors }: ComponentTensors,
    kind: string,
    naming: Naming,
    build: (blocks: Blocks) => unknown
  ): WeightFilePlan[] => {
    const finder = new TensorFinder(path, tensors)
    const found = findWeights(finder, askedBy(build), naming)
    finder.refuseOthers(() => false, kind, UNKNOWN)
    return planFiles(found)
  }
  return [
    filesOf(priorTensors, 'prior', priorNaming, blocks => priorGraph(blocks, prior)),
    filesOf(sightTensors, 'CLIP', sightNaming, blocks => clipSightGraph(blocks, prior))
  ]
}
