import { Unsupported } from './unsupported.ts'

/** A family that people ask for and that is not computed here. */
interface Refusal {
  /** Values of `model_type` and of `general.architecture`. */
  readonly types: readonly string[]
  readonly title: string
  readonly missing: string
  /** What to take in its place. */
  readonly instead: string
}

const EXPERTS = 'layers with experts and the router that chooses them'
const IMAGES = 'layers for images'

const refusals: readonly Refusal[] = [
  {
    types: ['qwen3_next', 'qwen3next'],
    title: 'Qwen 3 Next',
    missing: 'layers that keep a state in place of keys and values',
    instead: 'Qwen 3 30B-A3B, or a Qwen 3 without experts'
  },
  {
    types: ['gpt_oss', 'gpt-oss'],
    title: 'GPT-OSS',
    missing: 'experts with biases and a clamped activation, attention sinks and weights in MXFP4',
    instead: 'Qwen 3 30B-A3B, Qwen 3 14B or Mistral Small'
  },
  {
    types: ['phimoe'],
    title: 'Phi 3.5 with experts',
    missing: 'a router that takes its experts one after the other, and LayerNorm with biases',
    instead: 'Phi 3.5-mini or Phi 4-mini'
  },
  {
    types: ['ministral3', 'mistral3'],
    title: 'Ministral 3',
    missing: 'queries that are scaled by their position',
    instead: 'Mistral Small 3.1 or 3.2'
  },
  {
    types: ['llama4'],
    title: 'Llama 4',
    missing: `experts whose input is multiplied, attention in chunks and ${IMAGES}`,
    instead: 'Llama 3.3'
  },
  { types: ['mllama'], title: 'Llama 3.2 with images', missing: IMAGES, instead: 'Llama 3.1 or 3.2 without images' },
  {
    types: ['qwen2_vl', 'qwen2vl', 'qwen2_5_vl', 'qwen3_vl', 'qwen3vl'],
    title: 'Qwen with images',
    missing: `${IMAGES} and a rotary embedding with three positions`,
    instead: 'Qwen 2.5 or Qwen 3 without images'
  },
  {
    types: ['gemma3n'],
    title: 'Gemma 3n',
    missing: 'an embedding in each layer and layers that share keys and values',
    instead: 'Gemma 3'
  },
  {
    types: ['deepseek_v2', 'deepseek_v3', 'deepseek2'],
    title: 'DeepSeek',
    missing: 'a router that takes experts by groups, and latent attention',
    instead: 'one of its distillations to Qwen or Llama'
  },
  {
    types: ['clip'],
    title: 'the part of a model that reads images',
    missing: 'images',
    instead: 'the GGUF file beside it that holds the text model'
  }
]

/** @throws Unsupported with what is known of an architecture that no record has */
export function refuseArchitecture(type: string): never {
  const refusal = refusals.find(({ types }) => types.includes(type))
  if (refusal === undefined) throw new Unsupported(`the architecture "${type}"`)
  const { title, missing, instead } = refusal
  throw new Unsupported(`${title} (the architecture "${type}")`, `${missing} cannot be computed here: take ${instead}`)
}

/** @throws Unsupported for a model whose layers have experts, of a family that has none */
export function refuseExperts(count: number): void {
  if (count > 0)
    throw new Unsupported(`a mixture of ${count} experts`, `${EXPERTS} cannot be computed here: take a model without`)
}
