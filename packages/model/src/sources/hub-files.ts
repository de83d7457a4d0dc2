import {
  chooseWeights,
  ggufPartPaths,
  isNumberedShard,
  WEIGHTS_INDEX,
  type WeightChoice,
  WHOLE_WEIGHTS
} from '@resultity/formats'
import { MeshError } from '@resultity/interface'
import { CT2_WEIGHTS } from '@resultity/whisper'

/** What choosing needs of an entry in a repository's file list. */
export interface RepositoryEntry {
  readonly type: string
  readonly path: string
  readonly size: number
}

export interface ChosenFiles<Entry> {
  readonly files: readonly Entry[]
  /** What to convert, inside the repository: one file, or `.` for its root. */
  readonly model: string
}

/** Where sentence-transformers keeps how an encoder pools: the one file of a model that is not in the root. */
export const POOLING_FOLDER = '1_Pooling'
const POOLING_CONFIG = `${POOLING_FOLDER}/config.json`

/** What conversion and tokenizer read of a model folder, besides the weights and their index. */
const FOLDER_FILES: ReadonlySet<string> = new Set([
  'config.json',
  'generation_config.json',
  'modules.json',
  'preprocessor_config.json',
  'sentence_bert_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'chat_template.json'
])

// a listing comes from outside: nothing in it may lead out of the folder
const plainName = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/

/** Whether a name that comes from outside is that of a file in the folder where it stands. */
export function isPlainName(name: string): boolean {
  return plainName.test(name)
}

/**
 * Chooses the files of a model: `file` where it is named, else the safetensors model in the root, else the only GGUF file.
 * A GGUF model that is split comes with all its parts.
 *
 * @param name of the repository, for errors
 * @throws MeshError `model_not_found` naming what could be chosen
 */
export function chooseHubFiles<Entry extends RepositoryEntry>(
  name: string,
  entries: readonly Entry[],
  file: string | undefined
): ChosenFiles<Entry> {
  const files = entries.filter(entry => entry.type === 'file')
  if (file !== undefined) return partsOf(name, files, file)
  const plain = files.filter(entry => plainName.test(entry.path)).map(entry => entry.path)
  const ggufs = new Set(plain.filter(path => path.endsWith('.gguf')).map(path => ggufPartPaths(path)[0] ?? path))
  if (plain.includes('config.json')) {
    const choice = weightsOf(plain)
    if ('files' in choice) {
      const whole = choice.files.includes(WHOLE_WEIGHTS)
      const beside = files
        .map(entry => entry.path)
        .filter(path => FOLDER_FILES.has(path) || path === POOLING_CONFIG || (path === WEIGHTS_INDEX && !whole))
      return { files: findHubFiles(name, files, [...choice.files, ...beside]), model: '.' }
    }
    if (ggufs.size === 0) throw notFound(name, `it ${choice.problem}`, files, choice.hint)
  }
  const [only] = ggufs
  if (only !== undefined && ggufs.size === 1) return partsOf(name, files, only)
  const what = only === undefined ? 'it has no safetensors model and no GGUF file' : 'it has several GGUF files'
  throw notFound(name, what, files)
}

/** A GGUF file, or all parts of the one that `file` is a part of. */
function partsOf<Entry extends RepositoryEntry>(
  name: string,
  files: readonly Entry[],
  file: string
): ChosenFiles<Entry> {
  // the settings of a voice lie beside it
  const paths = file.endsWith('.onnx') ? [file, `${file}.json`] : ggufPartPaths(file)
  const missing = paths.filter(path => !files.some(entry => entry.path === path))
  const [model = file] = paths
  if (missing.length === 0) return { files: findHubFiles(name, files, paths), model }
  if (paths.length === 1 || missing.includes(file)) throw notFound(name, 'there is no such file', files)
  const shown = missing.slice(0, 8).join(', ')
  throw notFound(name, `of the ${paths.length} parts of this model ${missing.length} are not there: ${shown}`, files)
}

/** Safetensors; where there are none, what CTranslate2 has converted. */
function weightsOf(names: readonly string[]): WeightChoice {
  const choice = chooseListedWeights(names)
  const converted = 'problem' in choice && names.includes(CT2_WEIGHTS) && names.includes('tokenizer.json')
  return converted ? { files: [CT2_WEIGHTS] } : choice
}

/** A list of names does not say what is in the index: shards that are not numbered are all taken. */
function chooseListedWeights(names: readonly string[]): WeightChoice {
  const weights = names.filter(name => name.endsWith('.safetensors'))
  const indexed = names.includes(WEIGHTS_INDEX) && weights.length > 0 && !weights.some(isNumberedShard)
  return chooseWeights(names, indexed ? weights : undefined)
}

/**
 * The entries of `paths`.
 *
 * @param name of the repository, for errors
 * @throws MeshError `model_not_found` when one is not there
 */
export function findHubFiles<Entry extends RepositoryEntry>(
  name: string,
  entries: readonly Entry[],
  paths: readonly string[]
): Entry[] {
  return paths.map(path => {
    const found = entries.find(entry => entry.type === 'file' && entry.path === path)
    if (found !== undefined) return found
    throw new MeshError('model_not_found', `${name} has no ${path}`, { details: { param: 'model' } })
  })
}

function notFound(name: string, what: string, files: readonly RepositoryEntry[], instead?: string): MeshError {
  const ggufs = files.map(entry => entry.path).filter(path => path.endsWith('.gguf'))
  const choice = ggufs.length === 0 ? '' : ` It has ${ggufs.slice(0, 12).join(', ')}.`
  return new MeshError('model_not_found', `${name}: ${what}`, {
    hint: instead ?? `Name one GGUF file as hf:ORG/REPO:FILE.${choice}`,
    details: { param: 'model' }
  })
}
