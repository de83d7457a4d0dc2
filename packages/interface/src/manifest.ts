import { z } from 'zod'
import { type BarkManifest, barkManifestSchema } from './bark-manifest.ts'
import { type CaptionManifest, captionManifestSchema } from './blip-manifest.ts'
import { checkDecoderTraits } from './decoder-checks.ts'
import { decoderTraitsSchema, type Experts, ropeScalingSchema, ropeThetaSchema } from './decoder-traits.ts'
import { type DiffusionManifest, diffusionManifestSchema } from './diffusion-manifest.ts'
import { MeshError } from './errors.ts'
import { LAYERS_MAX, type LayerRange } from './layer-range.ts'
import { type ModelRecipe, modelRecipeSchema } from './model-recipe.ts'
import { type ManifestSight, sightSchema } from './sight-config.ts'
import { tokenizerFilesSchema } from './tokenizer-files.ts'
import { kokoroManifestSchema, piperManifestSchema, type VoiceManifest } from './voice-manifest.ts'
import { type BlobRef, layerFiles, type WeightFile, weightFileSchema } from './weight-file.ts'
import { whisperConfigSchema } from './whisper-config.ts'

const size = z.int().positive()

/** Added to a mean of squares, so that nothing is divided by zero. */
const epsilon = z.number().min(1e-20).max(1)

export const modelConfigSchema = z
  .object({
    layerCount: size.max(LAYERS_MAX),
    hiddenSize: size.max(65_536),
    intermediateSize: size.max(1_048_576),
    headCount: size.max(1024),
    kvHeadCount: size.max(1024),
    headDim: size.max(1024),
    vocabularySize: size.max(4_194_304),
    /** Longest context the model was made for, in positions. */
    contextLength: size.max(16_777_216),
    rmsNormEpsilon: epsilon,
    ropeTheta: ropeThetaSchema,
    ropeScaling: ropeScalingSchema,
    /** The head multiplies by the embedding file's matrix; `head` then holds the final norm only. */
    tiedEmbedding: z.boolean(),
    /** Absent in a model that computes as Llama does. */
    traits: decoderTraitsSchema.optional()
  })
  .superRefine(({ headCount, kvHeadCount }, { addIssue }) => {
    if (headCount % kvHeadCount === 0) return
    const message = `${headCount} heads cannot share ${kvHeadCount} key/value heads evenly`
    addIssue({ code: 'custom', path: ['kvHeadCount'], message })
  })
  .superRefine(checkDecoderTraits)
export type ModelConfig = z.infer<typeof modelConfigSchema>

/** Labels of one classifier. */
export const CLASSIFIER_LABELS_MAX = 1024

/** What a classifier's head gives of a text, or of a pair of texts: a number for each label. */
export const classifierSchema = z.object({
  labels: z.array(z.string().min(1).max(256)).min(1).max(CLASSIFIER_LABELS_MAX),
  /** How scores are made of these numbers: of each by itself, of all together, or left as they are. */
  activation: z.enum(['sigmoid', 'softmax', 'none'])
})
export type Classifier = z.infer<typeof classifierSchema>

/** Sizes and settings of a BERT-shaped sentence encoder. */
export const encoderConfigSchema = z
  .object({
    layerCount: size.max(LAYERS_MAX),
    hiddenSize: size.max(65_536),
    intermediateSize: size.max(1_048_576),
    headCount: size.max(1024),
    vocabularySize: size.max(4_194_304),
    /** Longest input in tokens, those that frame it included. */
    contextLength: size.max(65_536),
    /** Rows of the table of positions; at least {@link EncoderConfig.contextLength}. */
    positionCount: size.max(65_536),
    /** Rows of the table of token types, of which inputs use the first. */
    tokenTypeCount: size.max(1024),
    layerNormEpsilon: epsilon,
    /** GELU with the error function, or its approximation with the hyperbolic tangent. */
    activation: z.enum(['gelu', 'gelu_tanh']),
    /** How an input's hidden states become its vector: their mean, or the first one. */
    pooling: z.enum(['mean', 'cls']),
    /** Whether vectors are scaled to length 1. */
    normalize: z.boolean(),
    /** Set where a head makes numbers for labels of the first hidden state, and vectors are these numbers. */
    classifier: classifierSchema.optional()
  })
  .superRefine(({ hiddenSize, headCount, contextLength, positionCount }, { addIssue }) => {
    if (hiddenSize % headCount !== 0) {
      const message = `${hiddenSize} hidden values cannot be shared by ${headCount} heads evenly`
      addIssue({ code: 'custom', path: ['headCount'], message })
    }
    if (contextLength > positionCount) {
      const message = `inputs of ${contextLength} tokens do not fit ${positionCount} positions`
      addIssue({ code: 'custom', path: ['contextLength'], message })
    }
  })
  .refine(({ classifier, pooling, normalize }) => classifier === undefined || (pooling === 'cls' && !normalize), {
    message: 'a classifier reads the first hidden state as it is',
    path: ['classifier']
  })
export type EncoderConfig = z.infer<typeof encoderConfigSchema>

/** The manifest's architecture of a model that generates text. */
export function decoderArchitecture({ traits }: Pick<ModelConfig, 'traits'>): 'llama' | 'decoder' {
  return traits === undefined ? 'llama' : 'decoder'
}

/** The version of a decoder's manifest, by what it has. */
export function decoderManifestVersion({ recipe, sight }: { recipe?: unknown; sight?: unknown }): 1 | 2 | 3 {
  if (sight !== undefined) return 3
  return recipe === undefined ? 1 : 2
}

const ONE_FILE_A_LAYER = {
  message: 'the manifest lists as many weight files as the model has layers',
  path: ['layers']
}

/**
 * A model that generates text. `llama` computes as Llama does; a `decoder` has traits beyond it, and is another
 * architecture so that nodes which know no traits refuse it.
 *
 * Tensor names: `embedding` | per layer `input_norm`, `qkv` or (`q`, `k`, `v`), `output`, `post_norm`,
 * `gate_up` or (`gate`, `up`), `down`, and as the traits say `qkv_bias` or (`q_bias`, `k_bias`, `v_bias`), `q_norm` and
 * `k_norm`, `attention_out_norm` and `feed_forward_out_norm`, and with experts in place of the feed-forward's `router`,
 * `expert_gate_up` or (`expert_gate`, `expert_up`) and `expert_down`, which hold the matrices of all experts one after the
 * other, and of one that all positions share `shared_router`, `shared_gate_up` or (`shared_gate`, `shared_up`) and `shared_down` | `final_norm`, and `head` unless tied.
 */
const decoderManifestSchema = z
  .object({
    /** 2 where there is a recipe and 3 where it reads pictures, so that nodes refuse it which know of neither. */
    version: z.union([z.literal(1), z.literal(2), z.literal(3)]),
    name: z.string().min(1).max(256),
    architecture: z.enum(['llama', 'decoder']),
    config: modelConfigSchema,
    tokenizer: tokenizerFilesSchema,
    embedding: weightFileSchema,
    layers: layerFiles,
    head: weightFileSchema,
    /** By which nodes make the weight files, each those of its own layers. Absent: the coordinator has them. */
    recipe: modelRecipeSchema.optional(),
    /** Of a model that reads pictures: the first stage has it too. */
    sight: sightSchema.optional()
  })
  .refine(({ recipe, sight }) => recipe === undefined || sight === undefined, {
    message: 'what looks at pictures is not made by a recipe',
    path: ['sight']
  })
  .refine(({ version, ...parts }) => version === decoderManifestVersion(parts), {
    message:
      'a manifest with a recipe is of version 2, one of a model that reads pictures of 3, any other of version 1',
    path: ['version']
  })
  .refine(({ sight, config }) => sight === undefined || sight.config.imageToken < config.vocabularySize, {
    message: 'the token in whose place pictures are read is not of the vocabulary',
    path: ['sight', 'config', 'imageToken']
  })
  .refine(manifest => manifest.layers.length === manifest.config.layerCount, ONE_FILE_A_LAYER)
  .refine(({ architecture, config }) => architecture === decoderArchitecture(config), {
    message: 'a model with traits is a "decoder", one without is a "llama"',
    path: ['architecture']
  })
export interface DecoderManifest extends z.infer<typeof decoderManifestSchema> {}

/**
 * A model that turns texts into vectors: BERT's architecture. It is served whole, by one node.
 *
 * Tensor names: `words`, `positions`, `token_types`, `norm`, `norm_bias` | per layer `qkv`, `output`, `up`, `down`,
 * `attention_norm` and `output_norm`, each with its `…_bias` | of a classifier's head `pooler` and `classifier`, with theirs.
 */
const encoderManifestSchema = z
  .object({
    version: z.literal(1),
    name: z.string().min(1).max(256),
    architecture: z.literal('bert'),
    config: encoderConfigSchema,
    tokenizer: tokenizerFilesSchema,
    embedding: weightFileSchema,
    layers: layerFiles,
    /** Of a classifier. */
    head: weightFileSchema.optional()
  })
  .refine(manifest => manifest.layers.length === manifest.config.layerCount, ONE_FILE_A_LAYER)
  .refine(({ head, config }) => (head === undefined) === (config.classifier === undefined), {
    message: 'a classifier has a head, and nothing else has',
    path: ['head']
  })
export interface EncoderManifest extends z.infer<typeof encoderManifestSchema> {}

/**
 * A model that writes what is said in a recording: Whisper's architecture. It is served whole, by one node.
 *
 * Tensor names: `conv1`, `conv2` (each `[out, in · 3]`), `audio_norm`, `text_norm`, each with its `…_bias`, and
 * `audio_positions`, `text_positions`, `tokens` | per layer `attention_norm`, `qkv`, `output`, `feed_forward_norm`, `up`,
 * `down`, and in the decoder `cross_norm`, `cross_q`, `cross_kv`, `cross_output`, each with its `…_bias`.
 */
const speechManifestSchema = z
  .object({
    version: z.literal(1),
    name: z.string().min(1).max(256),
    architecture: z.literal('whisper'),
    config: whisperConfigSchema,
    tokenizer: tokenizerFilesSchema,
    /** What is no layer's: the convolutions, the tables and the last norms of encoder and decoder. */
    embedding: weightFileSchema,
    /** The encoder's, and behind them the decoder's. */
    layers: layerFiles
  })
  .refine(
    ({ layers, config }) => layers.length === config.encoderLayerCount + config.decoderLayerCount,
    ONE_FILE_A_LAYER
  )
export interface SpeechManifest extends z.infer<typeof speechManifestSchema> {}

/** What a model is. Its own SHA-256 (of the UTF-8 JSON that the importer wrote) is the model's identity on the mesh. */
export const modelManifestSchema = z.discriminatedUnion('architecture', [
  decoderManifestSchema,
  encoderManifestSchema,
  speechManifestSchema,
  piperManifestSchema,
  kokoroManifestSchema,
  barkManifestSchema,
  diffusionManifestSchema,
  captionManifestSchema
])
export type ModelManifest = DecoderManifest | WholeManifest

/** A model that is not cut: one node serves all of it, and takes jobs. */
export type WholeManifest =
  | EncoderManifest
  | SpeechManifest
  | VoiceManifest
  | BarkManifest
  | DiffusionManifest
  | CaptionManifest

/** True for a model that turns texts into vectors or labels. */
export function isEncoder(manifest: ModelManifest): manifest is EncoderManifest {
  return manifest.architecture === 'bert'
}

/** True for a model that writes what is said. */
export function isSpeech(manifest: ModelManifest): manifest is SpeechManifest {
  return manifest.architecture === 'whisper'
}

/** True for Bark, which says texts by their tokens. */
export function isBark(manifest: ModelManifest): manifest is BarkManifest {
  return manifest.architecture === 'bark'
}

/** True for a model that says texts by their sounds. */
export function isVoice(manifest: ModelManifest): manifest is VoiceManifest {
  return manifest.architecture === 'piper' || manifest.architecture === 'kokoro'
}

/** True for a model that draws pictures. */
export function isDiffusion(manifest: ModelManifest): manifest is DiffusionManifest {
  return manifest.architecture === 'diffusion'
}

/** True for a model that says what pictures show. */
export function isCaptioner(manifest: ModelManifest): manifest is CaptionManifest {
  return manifest.architecture === 'blip'
}

/** True for a model that is served whole and takes jobs, false for one that is cut into stages. */
export function isServedWhole(manifest: ModelManifest): manifest is WholeManifest {
  return manifest.architecture !== 'llama' && manifest.architecture !== 'decoder'
}

/** What `manifest` is and does, for messages: `NAME …`. */
export function kindOf(manifest: ModelManifest): string {
  if (isEncoder(manifest)) return 'is an encoder'
  if (isVoice(manifest) || isBark(manifest)) return 'says texts'
  if (isDiffusion(manifest)) return 'draws pictures'
  if (isCaptioner(manifest)) return 'says what pictures show'
  return isSpeech(manifest) ? 'writes what is said' : 'generates text'
}

/** @throws MeshError `invalid_request` when the model is of another kind */
export function requireDecoder(manifest: ModelManifest): DecoderManifest {
  if (!isServedWhole(manifest)) return manifest
  throw new MeshError('invalid_request', `${manifest.name} ${kindOf(manifest)} and does not generate text`)
}

/** @throws MeshError `invalid_request` when the model is of another kind */
export function requireEncoder(manifest: ModelManifest): EncoderManifest {
  if (isEncoder(manifest)) return manifest
  throw new MeshError('invalid_request', `${manifest.name} ${kindOf(manifest)} and is no encoder`)
}

/** @throws MeshError `invalid_request` when the model is of another kind */
export function requireSpeech(manifest: ModelManifest): SpeechManifest {
  if (isSpeech(manifest)) return manifest
  throw new MeshError('invalid_request', `${manifest.name} ${kindOf(manifest)} and hears no speech`)
}

/** @throws MeshError `invalid_request` when the model is of another kind */
export function requireVoice(manifest: ModelManifest): VoiceManifest | BarkManifest {
  if (isVoice(manifest) || isBark(manifest)) return manifest
  throw new MeshError('invalid_request', `${manifest.name} ${kindOf(manifest)} and is no voice`)
}

/** @throws MeshError `invalid_request` when the model is of another kind */
export function requireDiffusion(manifest: ModelManifest): DiffusionManifest {
  if (isDiffusion(manifest)) return manifest
  throw new MeshError('invalid_request', `${manifest.name} ${kindOf(manifest)} and draws no pictures`)
}

/** @throws MeshError `invalid_request` when the model is of another kind */
export function requireCaptioner(manifest: ModelManifest): CaptionManifest {
  if (isCaptioner(manifest)) return manifest
  throw new MeshError('invalid_request', `${manifest.name} ${kindOf(manifest)} and describes no pictures`)
}

/** What looks at pictures. @throws MeshError `invalid_request` for a model that reads none */
export function requireSight({ name, sight }: DecoderManifest): ManifestSight {
  if (sight !== undefined) return sight
  throw new MeshError('invalid_request', `${name} reads no pictures`)
}

/** Every weight file of the model, in order. */
export function weightFiles(manifest: ModelManifest): WeightFile[] {
  if (manifest.architecture === 'kokoro') return [...manifest.layers, manifest.styles]
  if (isBark(manifest)) return [...manifest.layers, ...(manifest.prompts === undefined ? [] : [manifest.prompts])]
  if (isVoice(manifest) || isDiffusion(manifest)) return [...manifest.layers]
  const { embedding, layers } = manifest
  const head = isSpeech(manifest) || isCaptioner(manifest) ? undefined : manifest.head
  const sight = isServedWhole(manifest) ? [] : (manifest.sight?.files ?? [])
  return [embedding, ...layers, ...(head === undefined ? [] : [head]), ...sight]
}

/** The files beside the weights that say how the model reads text, in order; a voice has none. */
export function tokenizerFilesOf(manifest: ModelManifest): BlobRef[] {
  if (isVoice(manifest)) return []
  if (isDiffusion(manifest)) return manifest.tokenizers.flatMap(({ vocabulary, merges }) => [vocabulary, merges])
  return [manifest.tokenizer.definition, manifest.tokenizer.config]
}

/** By which nodes make the weight files of a model; undefined where files are named by their bytes. */
export function recipeOf(manifest: ModelManifest): ModelRecipe | undefined {
  return isServedWhole(manifest) ? undefined : manifest.recipe
}

/** Numbers that an encoder gives of each input: a vector, or one for each label. */
export function outputSize({ hiddenSize, classifier }: EncoderConfig): number {
  return classifier?.labels.length ?? hiddenSize
}

/**
 * The weight files a stage of `range` opens, and no others: embedding and what looks at pictures on the first, head (and a tied
 * embedding) on the last.
 */
export function stageFiles(manifest: DecoderManifest, range: LayerRange): WeightFile[] {
  const files = manifest.layers.slice(range.first, range.end)
  const last = range.end === manifest.config.layerCount
  if (range.first === 0 || (last && manifest.config.tiedEmbedding)) files.unshift(manifest.embedding)
  if (last) files.push(manifest.head)
  if (range.first === 0) files.push(...(manifest.sight?.files ?? []))
  return files
}

/**
 * Query heads to a KV head from which on a stage can also attend by groups of heads. Below, the operators that this takes
 * cost more than the cache it does not read again.
 */
const GROUP_MIN = 4

/** The experts of a layer; undefined where one feed-forward serves all positions. */
export function expertsOf({ traits = {} }: ModelConfig, layer: number): Experts | undefined {
  return traits.layers?.[layer]?.feedForward === 'dense' ? undefined : traits.experts
}

/** Whether stages attend by groups of heads where a session is long, for which they keep the values twice. */
export function attendsByGroups({ headCount, kvHeadCount, traits = {} }: ModelConfig): boolean {
  // what only the runtime's own operator does
  const { attentionSoftcap, rotaryDim, layers = [] } = traits
  if (attentionSoftcap !== undefined || rotaryDim !== undefined) return false
  return headCount / kvHeadCount >= GROUP_MIN && layers.every(({ window }) => window === undefined)
}

/** KV-cache bytes of one position on one layer: key and value of every KV head, f32, and the value once more for groups. */
export function kvBytesPerPosition(config: ModelConfig): number {
  return (attendsByGroups(config) ? 3 : 2) * config.kvHeadCount * config.headDim * Float32Array.BYTES_PER_ELEMENT
}
