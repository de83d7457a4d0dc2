import { MeshError } from '@resultity/interface'

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

/** What conversion and tokenizer read of a model folder, besides `*.safetensors`. */
const FOLDER_FILES: ReadonlySet<string> = new Set([
  'config.json',
  'generation_config.json',
  'model.safetensors.index.json',
  'modules.json',
  'sentence_bert_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'chat_template.json'
])

// a listing comes from outside: nothing in it may lead out of the folder
const plainName = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/

/**
 * Chooses the files of a model: `file` where it is named, else the safetensors model in the root, else the only GGUF file.
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
  if (file !== undefined) {
    const named = files.filter(entry => entry.path === file)
    if (named.length === 0) throw notFound(name, `there is no such file`, files)
    return { files: named, model: file }
  }
  const plain = files.filter(entry => plainName.test(entry.path))
  const weights = plain.filter(entry => entry.path.endsWith('.safetensors'))
  if (weights.length > 0 && plain.some(entry => entry.path === 'config.json')) {
    // a repository that also has the unsplit file lists no index for it
    const indexed = plain.some(entry => entry.path === 'model.safetensors.index.json')
    const whole = indexed ? [] : weights.filter(entry => entry.path === 'model.safetensors')
    const kept = whole.length > 0 ? whole : weights
    const beside = files.filter(entry => FOLDER_FILES.has(entry.path) || entry.path === POOLING_CONFIG)
    return { files: [...kept, ...beside], model: '.' }
  }
  const ggufs = plain.filter(entry => entry.path.endsWith('.gguf'))
  const [only] = ggufs
  if (only === undefined || ggufs.length > 1) {
    throw notFound(
      name,
      only === undefined ? 'it has no safetensors model and no GGUF file' : 'it has several GGUF files',
      files
    )
  }
  return { files: [only], model: only.path }
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

function notFound(name: string, what: string, files: readonly RepositoryEntry[]): MeshError {
  const ggufs = files.map(entry => entry.path).filter(path => path.endsWith('.gguf'))
  const choice = ggufs.length === 0 ? '' : ` It has ${ggufs.slice(0, 12).join(', ')}.`
  return new MeshError('model_not_found', `${name}: ${what}`, {
    hint: `Name one GGUF file as hf:ORG/REPO:FILE.${choice}`,
    details: { param: 'model' }
  })
}
