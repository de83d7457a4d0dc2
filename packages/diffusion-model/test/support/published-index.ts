import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NamedTensors, SourceTensor } from '@resultity/formats'
import { type DiffusionManifest, modelManifestSchema, requireDiffusion, type WeightFile } from '@resultity/interface'
import { describeDiffusersFolder } from '../../src/import/diffusers-folder.ts'
import { layOut } from '../../src/import/open-diffusers.ts'

/** The shape of a tensor, or parts by name; a number stands for a tree of the list. */
type Tree = readonly number[] | number | { readonly [name: string]: Tree }

/** What scripts/reference-diffusion.py says of one component of a published model. */
export interface PublishedComponent {
  readonly config: Readonly<Record<string, unknown>>
  readonly parameters: number
  readonly tensors: number
  readonly trees: readonly Tree[]
  readonly root: Tree
}

export type PublishedIndex = Readonly<Record<string, PublishedComponent>>

export const publishedNames = [
  'stable-diffusion-1.5',
  'stable-diffusion-1.5-inpainting',
  'bk-sdm-small',
  'bk-sdm-tiny',
  'stable-diffusion-2.1',
  'stable-diffusion-xl',
  'playground-2.5',
  'kandinsky-2.2'
] as const

export const fixtures = join(import.meta.dirname, '../../../test/fixtures')

export function publishedIndex(name: string): PublishedIndex {
  return JSON.parse(readFileSync(join(fixtures, 'indexes', `${name}.json`), 'utf8'))
}

/** The shape of each tensor by its name. */
export function shapesOf({ trees, root }: PublishedComponent): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>()
  const walk = (tree: Tree, path: readonly string[]): void => {
    if (typeof tree === 'number') walk(trees[tree] ?? {}, path)
    else if (Array.isArray(tree)) shapes.set(path.join('.'), tree)
    else for (const [name, part] of Object.entries(tree)) walk(part, [...path, name])
  }
  walk(root, [])
  return shapes
}

/** Tensors that have no numbers: whoever reads one fails. */
export function withoutNumbers(shapes: ReadonlyMap<string, readonly number[]>): NamedTensors {
  return {
    names: [...shapes.keys()],
    get(name): SourceTensor | undefined {
      const shape = shapes.get(name)
      if (shape === undefined) return undefined
      const columns = shape.at(-1) ?? 1
      const rows = shape.slice(0, -1).reduce((product, size) => product * size, 1)
      const read = (): never => {
        throw new Error(`${name} is read`)
      }
      return { name, encoding: 'F16', rows, columns, rowBytes: 2 * columns, read }
    }
  }
}

const SCHEDULE = {
  _class_name: 'EulerDiscreteScheduler',
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: 'scaled_linear',
  clip_sample: false,
  steps_offset: 1,
  timestep_spacing: 'leading',
  skip_prk_steps: true,
  interpolation_type: 'linear'
}
const EDM = { _class_name: 'EDMDPMSolverMultistepScheduler', sigma_min: 0.002, sigma_max: 80, sigma_data: 0.5 }

/** As the repositories of Kandinsky's decoder and prior have them. */
const LEARNED_NOISE = {
  _class_name: 'DDPMScheduler',
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: 'linear',
  clip_sample: true,
  clip_sample_range: 2,
  variance_type: 'learned_range'
}
const UNCLIP = {
  _class_name: 'UnCLIPScheduler',
  clip_sample: true,
  clip_sample_range: 5,
  prediction_type: 'sample',
  variance_type: 'fixed_small_log'
}

/** Of 49,408 tokens, those that frame a chunk. */
const VOCABULARY = { '!': 0, '<|startoftext|>': 49_406, '<|endoftext|>': 49_407 }

/** The texts of a published model's folder. */
export function publishedTexts(name: string): Record<string, unknown> {
  const index = publishedIndex(name)
  if (name.startsWith('kandinsky')) return kandinskyTexts(index)
  const xl = Object.hasOwn(index, 'text_encoder_2')
  const texts: Record<string, unknown> = {
    'model_index.json': {
      _class_name: xl ? 'StableDiffusionXLPipeline' : 'StableDiffusionPipeline',
      _diffusers_version: '0.29.2',
      feature_extractor: [null, null],
      image_encoder: [null, null],
      safety_checker: [null, null],
      requires_safety_checker: false,
      text_encoder: ['transformers', 'CLIPTextModel'],
      ...(xl ? { text_encoder_2: ['transformers', 'CLIPTextModelWithProjection'] } : {}),
      unet: ['diffusers', 'UNet2DConditionModel'],
      vae: ['diffusers', 'AutoencoderKL']
    },
    'scheduler/scheduler_config.json': name.startsWith('playground') ? EDM : SCHEDULE
  }
  for (const [folder, { config }] of Object.entries(index)) texts[`${folder}/config.json`] = config
  for (const folder of xl ? ['tokenizer', 'tokenizer_2'] : ['tokenizer']) {
    Object.assign(texts, tokenizerTexts(folder, folder === 'tokenizer' ? '<|endoftext|>' : '!'))
  }
  return texts
}

function tokenizerTexts(folder: string, pad: string): Record<string, unknown> {
  return {
    [`${folder}/vocab.json`]: VOCABULARY,
    [`${folder}/merges.txt`]: '#version: 0.2\na b\n',
    [`${folder}/special_tokens_map.json`]: { pad_token: pad, eos_token: { content: '<|endoftext|>' } }
  }
}

/** Both repositories as one folder. */
function kandinskyTexts(index: PublishedIndex): Record<string, unknown> {
  const configs = Object.entries(index).map(([folder, { config }]) => [`${folder}/config.json`, config])
  return {
    'model_index.json': { _class_name: 'KandinskyV22Pipeline', _diffusers_version: '0.18.0.dev0' },
    'scheduler/scheduler_config.json': LEARNED_NOISE,
    'prior_scheduler/scheduler_config.json': UNCLIP,
    ...tokenizerTexts('prior_tokenizer', '!'),
    ...Object.fromEntries(configs)
  }
}

/** Reads them as a folder is read. */
export function reading(texts: Readonly<Record<string, unknown>>): (path: string) => string | undefined {
  return path => {
    const text = texts[path]
    return text === undefined || typeof text === 'string' ? text : JSON.stringify(text)
  }
}

/** What a published model would be imported as. */
export function imported(name: string): DiffusionManifest {
  const index = publishedIndex(name)
  const described = describeDiffusersFolder(reading(publishedTexts(name)))
  const { parts, files } = layOut(described, folder => {
    const component = index[folder]
    if (component === undefined) throw new Error(`${name} has no ${folder}`)
    return { path: folder, tensors: withoutNumbers(shapesOf(component)) }
  })
  const layers: WeightFile[] = files.map(({ layout }, place) => ({
    sha256: place.toString(16).padStart(64, '0'),
    ...layout
  }))
  const blob = { sha256: 'f'.repeat(64), bytes: 1 }
  const tokenizers = described.tokenizers.map(() => ({ vocabulary: blob, merges: blob }))
  const candidate = {
    version: 1,
    name,
    architecture: 'diffusion',
    config: described.config,
    tokenizers,
    parts,
    layers
  }
  return requireDiffusion(modelManifestSchema.parse(candidate))
}
