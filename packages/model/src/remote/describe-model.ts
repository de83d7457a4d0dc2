import { join } from 'node:path'
import { WEIGHTS_INDEX } from '@resultity/formats'
import {
  type AbortOptions,
  MeshError,
  type ModelManifest,
  type ModelRecipe,
  type RecipeFile,
  type WeightFile
} from '@resultity/interface'
import type { IngestingBlobStore } from '../blobs/blob-store.ts'
import { storeManifest } from '../import/convert.ts'
import { modelTypeOf } from '../import/safetensors-source.ts'
import { checkServable, namingModel } from '../import/servable.ts'
import { readTokenizerFiles } from '../import/tokenizer-of.ts'
import { isDiffusersRepository } from '../sources/hub-diffusers.ts'
import { DEFAULT_REVISION } from '../sources/hub-downloads.ts'
import { chooseHubFiles } from '../sources/hub-files.ts'
import type { ProgressOptions } from '../sources/progress.ts'
import type { HubClient, ListedFile, ListedRepository } from './hub-client.ts'
import { HubTrouble } from './hub-trouble.ts'
import { CONVERTER_VERSION, fileNames } from './recipe.ts'
import { fetchSmall, isWeights, RemoteModel } from './remote-model.ts'

export interface DescribeInit {
  readonly client: HubClient
  /** Keeps the small files, in a folder for each commit. */
  readonly directory: string
  /** In the manifest. */
  readonly name: string
  readonly store: Pick<IngestingBlobStore, 'put'>
  /** Smaller models are not described. */
  readonly weightBytesMin: number
}

export interface DescribedHubModel {
  readonly manifest: ModelManifest
  readonly manifestSha256: string
  /** With the commit. */
  readonly source: string
}

/** Of another kind than those that nodes make layers of: they are served whole, or look at pictures before they read. */
const FETCHED_WHOLE: ReadonlySet<string> = new Set(['bert', 'blip', 'idefics3', 'smolvlm', 'whisper'])

/**
 * Makes the manifest of a large model of the hub from its headers and small files. Its weights are not fetched: nodes make
 * them by the manifest's recipe.
 *
 * @returns undefined for a model that is to be fetched whole: a small one, or none of safetensors, or no decoder
 * @throws MeshError as `RemoteModel.open`; what choosing its files and trying its tokenizer throws
 */
export async function describeHubModel(
  { repo, revision = DEFAULT_REVISION }: { readonly repo: string; readonly revision?: string },
  init: DescribeInit,
  options: ProgressOptions = {}
): Promise<DescribedHubModel | undefined> {
  const { client } = init
  const name = `hf:${repo}`
  options.onProgress?.({ phase: 'connect', what: name, bytesDone: 0, bytesTotal: 0 })
  const { commit, files } = await listed(client, repo, revision, options.signal)
  if (isDiffusersRepository(files)) return undefined
  const chosen = chooseHubFiles(name, files, undefined)
  const weights = chosen.files.filter(isWeights)
  const bytes = weights.reduce((sum, { size }) => sum + size, 0)
  if (chosen.model !== '.' || weights.length === 0 || bytes < init.weightBytesMin) return undefined
  const source = { repository: repo, commit }
  const directory = join(init.directory, repo.replace('/', '--'), commit)
  const folder = { client, directory }
  for (const file of chosen.files) {
    if (!isWeights(file) && !file.path.includes('/'))
      await fetchSmall(source, toRecipeFile(repo, file), folder, options)
  }
  if (FETCHED_WHOLE.has(modelTypeOf(directory) ?? '')) return undefined
  const read = chosen.files.filter(file => isWeights(file) || isStructure(file))
  const recipe: ModelRecipe = {
    ...source,
    converter: CONVERTER_VERSION,
    files: read.map(file => toRecipeFile(repo, file)).toSorted((a, b) => (a.path < b.path ? -1 : 1))
  }
  try {
    return { ...(await describe(recipe, init, directory, options)), source: `${name}@${commit}` }
  } catch (error) {
    throw namingModel(name, error)
  }
}

async function describe(
  recipe: ModelRecipe,
  { client, name, store }: DescribeInit,
  directory: string,
  options: AbortOptions
): Promise<Omit<DescribedHubModel, 'source'>> {
  await using model = await RemoteModel.open(recipe, { client, directory }, options)
  const { description, layouts } = model.plan
  const tokenizerFiles = await readTokenizerFiles(directory, options)
  checkServable(tokenizerFiles, description)
  const names = fileNames(recipe, layouts.length)
  const files = layouts.map((layout, at): WeightFile => ({ sha256: names[at] ?? '', ...layout }))
  return await storeManifest(description, files, { store, name, tokenizerFiles, recipe })
}

async function listed(
  client: HubClient,
  repo: string,
  revision: string,
  signal: AbortSignal | undefined
): Promise<ListedRepository> {
  try {
    return await client.repository(repo, revision, signal)
  } catch (error) {
    if (!(error instanceof HubTrouble)) throw error
    throw new MeshError('model_unavailable', `the model hub did not list hf:${repo}: ${error.message}`, {
      hint: 'Check the network and --hub, or use a model that is on this machine: file:DIR_OR_GGUF.',
      cause: error
    })
  }
}

/** Files beside the weights that say what the tensors are. */
function isStructure({ path }: ListedFile): boolean {
  return path === 'config.json' || path === WEIGHTS_INDEX
}

function toRecipeFile(repo: string, { path, size, digest }: ListedFile): RecipeFile {
  if (digest !== undefined) return { path, bytes: size, digest }
  throw new MeshError('model_unavailable', `the hub names no hash of ${path} of ${repo}`, {
    hint: 'Set another hub with --hub, or have the coordinator fetch the whole model, by a larger --import-max.'
  })
}
