import { join } from 'node:path'
import {
  componentFolders,
  DESCRIBING_FILES,
  describeDiffusersFolder,
  hasPriorApart,
  MODEL_INDEX,
  PRIOR_PREFIX,
  weightStem
} from '@resultity/diffusion-model'
import { chooseComponentWeights, readOptionalFolderText } from '@resultity/formats'
import { MeshError } from '@resultity/interface'
import { findHubFiles, isPlainName, type RepositoryEntry } from './hub-files.ts'

/** What fetching a folder of diffusers needs of a repository. */
export interface DiffusersRepository<Entry extends RepositoryEntry> {
  /** For errors. */
  readonly name: string
  /** All of them, those in folders too. */
  readonly files: readonly Entry[]
  readonly download: (entry: Entry, path: string) => Promise<void>
  /** Another repository of the same hub. */
  other(repo: string): Promise<DiffusersRepository<Entry>>
}

/** Whether a repository's root is that of a folder of diffusers. */
export function isDiffusersRepository(root: readonly RepositoryEntry[]): boolean {
  return root.some(({ type, path }) => type === 'file' && path === MODEL_INDEX)
}

/**
 * Fetches a folder of diffusers: first what says what it is, so that a model which is not supported costs no download of gigabytes,
 * and then the weights of the components that are served. Safety checkers, and the same weights in other forms, are left out.
 * Of a model whose prior has a repository of its own, that is fetched into the same folder.
 *
 * @throws MeshError `model_invalid` for a model that is not supported, `model_not_found` for a component without weights that are
 *   read
 */
export async function fetchDiffusersFolder<Entry extends RepositoryEntry>(
  repository: DiffusersRepository<Entry>,
  directory: string
): Promise<void> {
  const files = placed(repository, '')
  await downloadAll(files.filter(isIndex), directory)
  const read = (path: string): string | undefined => readOptionalFolderText(join(directory, path))
  if (files.some(isIndex) && hasPriorApart(read) && !files.some(({ path }) => path.startsWith(PRIOR_PREFIX))) {
    const prior = await repository.other(await priorOf(repository, files, directory))
    files.push(...placed(prior, PRIOR_PREFIX))
  }
  await downloadAll(
    files.filter(({ path }) => DESCRIBING_FILES.includes(path)),
    directory
  )
  const described = describeDiffusersFolder(read)
  const paths = componentFolders(described).flatMap(folder => weightPaths(repository.name, files, folder))
  await downloadAll(findHubFiles(repository.name, files, paths), directory)
}

/** A file of a repository, and where it belongs. */
interface PlacedFile extends RepositoryEntry {
  fetch(path: string): Promise<void>
}

const isIndex = ({ path }: RepositoryEntry): boolean => path === MODEL_INDEX

async function downloadAll(files: readonly PlacedFile[], directory: string): Promise<void> {
  for (const file of files) await file.fetch(join(directory, file.path))
}

/** The files of a repository; `prefix` comes before their paths. */
function placed<Entry extends RepositoryEntry>(
  { files, download }: DiffusersRepository<Entry>,
  prefix: string
): PlacedFile[] {
  return files
    .filter(({ type }) => type === 'file')
    .map(entry => ({ ...entry, path: `${prefix}${entry.path}`, fetch: path => download(entry, path) }))
}

/** Where a publisher says which repository has a model's prior. */
const MODEL_CARD = 'README.md'

/** A model card begins with settings between two lines of dashes; a setting is one value, or a list with one a line. */
const PRIOR_SETTING = /^---\n(?:.*\n)*?prior:\s*(?:-\s*)?["']?([\w.-]+\/[\w.-]+)["']?[ \t]*\n(?:.*\n)*?---(?:\n|$)/

/** @throws MeshError `model_not_found` where the publisher does not say */
async function priorOf(
  { name }: Pick<DiffusersRepository<RepositoryEntry>, 'name'>,
  files: readonly PlacedFile[],
  directory: string
): Promise<string> {
  const card = files.find(({ path }) => path === MODEL_CARD)
  await card?.fetch(join(directory, MODEL_CARD))
  const text = card && readOptionalFolderText(join(directory, MODEL_CARD))?.replaceAll('\r\n', '\n')
  const [, repo] = PRIOR_SETTING.exec(text ?? '') ?? []
  if (repo !== undefined) return repo
  throw new MeshError(
    'model_not_found',
    `${name} draws what a prior makes of a text, and its ${MODEL_CARD} names none`,
    {
      hint: 'Put both into one folder, as diffusers saves the combined pipeline, and give file:FOLDER.',
      details: { param: 'model' }
    }
  )
}

function weightPaths(name: string, files: readonly RepositoryEntry[], folder: string): string[] {
  const prefix = `${folder}/`
  const names = files
    .filter(({ path }) => path.startsWith(prefix))
    .map(({ path }) => path.slice(prefix.length))
    .filter(isPlainName)
  const choice = chooseComponentWeights(names, weightStem(folder))
  if ('files' in choice) return choice.files.map(file => `${prefix}${file}`)
  throw new MeshError('model_not_found', `${name}: its ${folder} ${choice.problem}`, {
    hint: choice.hint,
    details: { param: 'model' }
  })
}
