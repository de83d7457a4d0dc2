/** The file of a safetensors model that is not split. */
export const WHOLE_WEIGHTS = 'model.safetensors'

/** Names the shard of each tensor. */
export const WEIGHTS_INDEX = 'model.safetensors.index.json'

/** A 405 B model in bf16 has 191 shards. */
export const SHARDS_MAX = 1024

/** Which files hold the weights, or what a listing has instead of them. */
export type WeightChoice =
  | { readonly files: readonly string[] }
  /** What is wrong with the folder, as the end of a sentence about it, and what to do. */
  | { readonly problem: string; readonly hint: string }

const ADAPTER = 'adapter_model.safetensors'

const shardName = /^(.+)-(\d{5})-of-(\d{5})\.safetensors$/

/**
 * Chooses the weight files of a model from the names in its folder, as transformers does and a little further: the whole
 * file, else the shards that the index names, else shards that are numbered and complete, else the only safetensors file.
 *
 * @param indexed what the index names, where there is one that can be read
 */
export function chooseWeights(names: readonly string[], indexed?: readonly string[]): WeightChoice {
  const weights = names.filter(name => name.endsWith('.safetensors') && name !== ADAPTER).toSorted()
  if (weights.includes(WHOLE_WEIGHTS)) return { files: [WHOLE_WEIGHTS] }
  if (indexed?.every(name => weights.includes(name)) === true) return { files: indexed }
  const sets = numberedSets(weights)
  const complete = sets.filter(({ missing }) => missing.length === 0)
  const [set] = complete
  if (set !== undefined && complete.length === 1) return { files: set.files }
  const missing = indexed?.filter(name => !weights.includes(name)) ?? sets[0]?.missing ?? []
  if (missing.length > 0) return incomplete(missing, indexed !== undefined)
  const [only] = weights
  if (only !== undefined && weights.length === 1) return { files: [only] }
  if (only !== undefined) {
    return {
      problem: `has several safetensors files (${listed(weights)}), and nothing tells which are the model's`,
      hint: `Name the one that holds the weights ${WHOLE_WEIGHTS}, or add ${WEIGHTS_INDEX}.`
    }
  }
  return withoutWeights(names)
}

/** Whether a name is that of one shard among several. */
export function isNumberedShard(name: string): boolean {
  return shardName.test(name)
}

interface ShardSet {
  readonly files: readonly string[]
  readonly missing: readonly string[]
}

/** Files named `NAME-00001-of-00002.safetensors`, by name and count. */
function numberedSets(weights: readonly string[]): ShardSet[] {
  const sets = new Map<string, { name: string; count: number }>()
  for (const weight of weights) {
    const [, name = '', number, digits] = shardName.exec(weight) ?? []
    const count = Number(digits)
    if (Number(number) >= 1 && Number(number) <= count && count <= SHARDS_MAX)
      sets.set(`${name}/${count}`, { name, count })
  }
  return [...sets.values()].map(({ name, count }) => {
    const digits = (number: number): string => String(number).padStart(5, '0')
    const files = Array.from({ length: count }, (_, at) => `${name}-${digits(at + 1)}-of-${digits(count)}.safetensors`)
    return { files, missing: files.filter(file => !weights.includes(file)) }
  })
}

function incomplete(missing: readonly string[], indexed: boolean): WeightChoice {
  const why = indexed ? `, which ${WEIGHTS_INDEX} names` : ''
  return { problem: `lacks ${listed(missing)}${why}`, hint: 'Download all files of the model into one folder.' }
}

/** Says what a folder has instead of weights: most folders without weights hold them in another form. */
export function withoutWeights(names: readonly string[], whole = WHOLE_WEIGHTS): WeightChoice {
  const ending = (...endings: string[]): string[] => names.filter(name => endings.some(end => name.endsWith(end)))
  const ggufs = ending('.gguf')
  if (ggufs.length > 0) {
    return { problem: `has GGUF files and no safetensors: ${listed(ggufs)}`, hint: 'Name the GGUF file itself.' }
  }
  if (names.includes('adapter_config.json') || names.includes(ADAPTER)) {
    return {
      problem: 'holds an adapter (LoRA) and not the model that it changes',
      hint: 'Merge the adapter into its base model, and save that as safetensors.'
    }
  }
  const pickles = ending('.bin', '.pt', '.pth', '.ckpt')
  if (pickles.length > 0) {
    return {
      problem: `has its weights as a pickle only: ${listed(pickles)}`,
      hint: 'A pickle may run any code and is not read. Use the safetensors or GGUF version of the model, or save it as safetensors.'
    }
  }
  const others = ending('.h5', '.msgpack', '.onnx', '.npz', '.nemo')
  if (others.length > 0) {
    return { problem: `has its weights in a format that is not read: ${listed(others)}`, hint: FORMATS }
  }
  return { problem: `has no weights: no ${whole}, no ${whole}.index.json and no shards`, hint: FORMATS }
}

const FORMATS = 'Use the safetensors or GGUF version of the model.'

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(', ')
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown
}
