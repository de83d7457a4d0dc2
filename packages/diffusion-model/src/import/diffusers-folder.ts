import {
  type ClipTextConfig,
  type DiffusionConfig,
  describeIssues,
  diffusionConfigSchema,
  modelInvalid,
  safeParse
} from '@resultity/interface'
import { z } from 'zod'
import { type ClipTokenizer, readClipTokenizer, TOKENIZER_FILES } from './clip-tokenizer.ts'
import { CODER_CONFIG, coderConfigOf } from './coder-config.ts'
import { DENOISER_CONFIG, denoiserConfigOf } from './denoiser-config.ts'
import { embeddingDenoiserOf } from './embedding-denoiser-config.ts'
import { MOVQ_CONFIG, movqConfigOf } from './movq-config.ts'
import { PRIOR_CONFIG, PRIOR_SCHEDULER, priorConfigOf, SIGHT_CONFIG } from './prior-config.ts'
import { type ReadText, readConfig } from './read-config.ts'
import { SCHEDULER_CONFIG, scheduleOf } from './schedule-config.ts'
import { textConfigOf } from './text-config.ts'

/** Says which components a folder of diffusers has; a folder without it is no such folder. */
export const MODEL_INDEX = 'model_index.json'

const pipelines = {
  StableDiffusionPipeline: 'one encoder',
  StableDiffusionImg2ImgPipeline: 'one encoder',
  StableDiffusionInpaintPipeline: 'one encoder',
  StableDiffusionXLPipeline: 'two encoders',
  StableDiffusionXLImg2ImgPipeline: 'two encoders',
  StableDiffusionXLInpaintPipeline: 'two encoders',
  KandinskyV22Pipeline: 'a prior',
  KandinskyV22CombinedPipeline: 'a prior',
  KandinskyV22Img2ImgPipeline: 'a prior',
  KandinskyV22Img2ImgCombinedPipeline: 'a prior'
} as const

type Pipeline = keyof typeof pipelines

/** `[library, class]`, or nulls for a component that is left out. */
const component = z.tuple([z.string().nullable(), z.string().nullable()]).nullish()

const indexSchema = z.looseObject({
  _class_name: z.enum(Object.keys(pipelines) as [Pipeline, ...Pipeline[]]),
  text_encoder: component,
  text_encoder_2: component,
  force_zeros_for_empty_prompt: z.boolean().nullish(),
  requires_aesthetics_score: z.literal(false).nullish(),
  image_encoder: z.tuple([z.null(), z.null()]).nullish()
})

/** A folder of diffusers, all but its weights. */
export interface DescribedFolder {
  readonly config: DiffusionConfig
  /** One for each text encoder, as are the folders. */
  readonly tokenizers: readonly ClipTokenizer[]
  readonly textFolders: readonly string[]
  readonly coderFolder: string
  /** Of a model with a prior: those of the prior, and of what looks at pictures. */
  readonly priorFolders: readonly string[]
}

/** Before the names of a prior's folders, where they stand beside those of the model that draws what it makes. */
export const PRIOR_PREFIX = 'prior_'
const PRIOR_TEXT = `${PRIOR_PREFIX}text_encoder`
export const PRIOR_FOLDER = `${PRIOR_PREFIX}prior`
export const SIGHT_FOLDER = `${PRIOR_PREFIX}image_encoder`
export const MOVQ_FOLDER = 'movq'

/** The folders in which components have their weights. */
export const CODER_FOLDER = 'vae'
export const DENOISER_FOLDER = 'unet'

/**
 * Reads what a folder of diffusers says of its model, and no weights.
 *
 * @throws MeshError `model_invalid` naming the file and the field that is wrong or not supported
 */
export function describeDiffusersFolder(read: ReadText): DescribedFolder {
  const index = readConfig(read, MODEL_INDEX, indexSchema)
  if (pipelines[index._class_name] === 'a prior') return describeWithPrior(read)
  const two = pipelines[index._class_name] === 'two encoders'
  const textFolders = two ? ['text_encoder', 'text_encoder_2'] : ['text_encoder']
  for (const folder of textFolders) {
    const [library] = (folder === 'text_encoder' ? index.text_encoder : index.text_encoder_2) ?? []
    if (library != null) continue
    const hint = 'a refiner, which has the second of two encoders only, is not supported'
    throw modelInvalid(MODEL_INDEX, `has no "${folder}", which a ${index._class_name} needs`, hint)
  }
  const tokenizers = textFolders.map(folder => readClipTokenizer(read, folder.replace('text_encoder', 'tokenizer')))
  const { denoiser, latentSize } = denoiserConfigOf(read)
  const coder = coderConfigOf(read)
  const textEncoders = tokenizers.map((tokenizer, position) =>
    textConfigOf(read, textUse(textFolders, position, two), tokenizer)
  )
  const candidate = {
    schedule: scheduleOf(read),
    textEncoders,
    denoiser,
    coder,
    zeroForEmpty: two && (index.force_zeros_for_empty_prompt ?? true),
    pictureSize: latentSize * 2 ** (coder.levels.length - 1)
  }
  return { config: checked(candidate), tokenizers, textFolders, coderFolder: CODER_FOLDER, priorFolders: [] }
}

function checked(candidate: object): DiffusionConfig {
  const parsed = safeParse(diffusionConfigSchema, candidate)
  if (parsed.success) return parsed.data
  throw modelInvalid(MODEL_INDEX, `the model's configuration is wrong: ${describeIssues(parsed.error, candidate)}`)
}

/** Of Kandinsky 2.2, as its combined pipeline is saved: the prior's folders beside those of what draws. */
function describeWithPrior(read: ReadText): DescribedFolder {
  if (read(PRIOR_CONFIG) === undefined) {
    const hint = `Put the folders of its prior beside its own, under names that begin with "${PRIOR_PREFIX}", as diffusers saves the combined pipeline.`
    throw modelInvalid(MODEL_INDEX, 'draws what a prior makes of a text, and the folder has none', hint)
  }
  const tokenizer = readClipTokenizer(read, `${PRIOR_PREFIX}tokenizer`)
  const { denoiser, latentSize } = embeddingDenoiserOf(read, DENOISER_CONFIG)
  const coder = movqConfigOf(read)
  const config = checked({
    schedule: scheduleOf(read),
    textEncoders: [textConfigOf(read, { folder: PRIOR_TEXT, states: 'last', pooled: true }, tokenizer)],
    denoiser,
    coder,
    prior: priorConfigOf(read),
    zeroForEmpty: false,
    pictureSize: latentSize * 2 ** (coder.levels.length - 1)
  })
  return {
    config,
    tokenizers: [tokenizer],
    textFolders: [PRIOR_TEXT],
    coderFolder: MOVQ_FOLDER,
    priorFolders: [PRIOR_FOLDER, SIGHT_FOLDER]
  }
}

/** XL reads the states before the last layer of both encoders, and a vector of the second. */
function textUse(folders: readonly string[], position: number, two: boolean) {
  const states: ClipTextConfig['states'] = two ? 'second_last' : 'last'
  return { folder: folders[position] ?? '', states, pooled: two && position === 1 }
}

/** The folders whose weights are read. */
export function componentFolders({
  textFolders,
  coderFolder,
  priorFolders
}: Pick<DescribedFolder, 'textFolders' | 'coderFolder' | 'priorFolders'>): string[] {
  return [...textFolders, DENOISER_FOLDER, coderFolder, ...priorFolders]
}

/** Whether what a `model_index.json` says is a model that draws what a prior makes, which is published apart from it. */
export function hasPriorApart(read: ReadText): boolean {
  return readConfig(read, MODEL_INDEX, indexSchema)._class_name === 'KandinskyV22Pipeline'
}

/** Every text that {@link describeDiffusersFolder} may ask for. */
export const DESCRIBING_FILES: readonly string[] = [
  MODEL_INDEX,
  SCHEDULER_CONFIG,
  DENOISER_CONFIG,
  CODER_CONFIG,
  'text_encoder/config.json',
  'text_encoder_2/config.json',
  MOVQ_CONFIG,
  PRIOR_CONFIG,
  PRIOR_SCHEDULER,
  SIGHT_CONFIG,
  `${PRIOR_TEXT}/config.json`,
  ...['tokenizer', 'tokenizer_2', `${PRIOR_PREFIX}tokenizer`].flatMap(folder =>
    TOKENIZER_FILES.map(name => `${folder}/${name}`)
  )
]
