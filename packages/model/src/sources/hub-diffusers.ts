import { join } from 'node:path'
import {
  componentFolders,
  DESCRIBING_FILES,
  describeDiffusersFolder,
  MODEL_INDEX,
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
  download(entry: Entry, path: string): Promise<void>
}

/** Whether a repository's root is that of a folder of diffusers. */
export function isDiffusersRepository(root: readonly RepositoryEntry[]): boolean {
  return root.some(({ type, path }) => type === 'file' && path === MODEL_INDEX)
}

/**
 * Fetches a folder of diffusers: first what says what it is, so that a model which is not supported costs no download of gigabytes,
 * and then the weights of the components that are served. Safety checkers, and the same weights in other forms, are left out.
 *
 * @throws MeshError `model_invalid` for a model that is not supported, `model_not_found` for a component without weights that are
 *   read
 */
export async function fetchDiffusersFolder<Entry extends RepositoryEntry>(
  repository: DiffusersRepository<Entry>,
  directory: string
): Promise<void> {
  const { files } = repository
  const told = files.filter(({ path }) => DESCRIBING_FILES.includes(path))
  for (const entry of told) await repository.download(entry, join(directory, entry.path))
  const described = describeDiffusersFolder(path => readOptionalFolderText(join(directory, path)))
  const paths = componentFolders(described).flatMap(folder => weightPaths(repository.name, files, folder))
  for (const entry of findHubFiles(repository.name, files, paths)) {
    await repository.download(entry, join(directory, entry.path))
  }
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
