import type { IngestingBlobStore } from '@resultity/blobs'
import { WEIGHTS_INDEX } from '@resultity/formats'
import {
  type AbortOptions,
  MeshError,
  type ModelManifest,
  type ModelRecipe,
  type Quantize,
  type RecipeFile,
  type WeightFile
} from '@resultity/interface'
import { storeManifest } from '../import/convert.ts'
import { modelTypeOf } from '../import/safetensors-source.ts'
import { checkServable, namingModel } from '../import/servable.ts'
import { readTokenizerFiles } from '../import/tokenizer-of.ts'
import { isBarkRepository } from '../sources/hub-bark.ts'
import { isDiffusersRepository } from '../sources/hub-diffusers.ts'
import { commitFolder, type HubRevision } from '../sources/hub-downloads.ts'
import { chooseHubFiles } from '../sources/hub-files.ts'
import type { ProgressOptions } from '../sources/progress.ts'
import { hubModelName } from '../sources/reference.ts'
import type { HubClient, ListedFile } from './hub-client.ts'
import { listRepository } from './list-repository.ts'
import { CONVERTER_VERSION, fileNames, isGguf, isWeights } from './recipe.ts'
import { fetchSmall, RemoteModel } from './remote-model.ts'

export interface DescribeInit {
  readonly client: HubClient
  /** Of downloads: keeps the small files, in a folder for each commit. */
  readonly directory: string
  /** In the manifest. */
  readonly name: string
  readonly store: Pick<IngestingBlobStore, 'put'>
  /** What nodes make of plain matrices. Default `auto`. */
  readonly quantize?: Quantize | undefined
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
const FETCHED_WHOLE: ReadonlySet<string> = new Set(['bark', 'bert', 'blip', 'idefics3', 'smolvlm', 'whisper'])

/**
 * Makes the manifest of a large model of the hub from its headers and small files. Its weights are not fetched: nodes make
 * them by the manifest's recipe.
 *
 * @returns undefined for a model that is to be fetched whole: a small one, or none of safetensors or GGUF, or no decoder
 * @throws MeshError as `RemoteModel.open`; what choosing its files and trying its tokenizer throws
 */
export async function describeHubModel(
  reference: HubRevision,
  init: DescribeInit,
  options: ProgressOptions = {}
): Promise<DescribedHubModel | undefined> {
  const { client } = init
  const { repo, file } = reference
  const name = `hf:${hubModelName(reference)}`
  options.onProgress?.({ phase: 'connect', what: name, bytesDone: 0, bytesTotal: 0 })
  const { commit, files } = await listRepository(client, reference, options)
  if (file === undefined && (isDiffusersRepository(files) || isBarkRepository(files))) return undefined
  const chosen = chooseHubFiles(name, files, file)
  const weights = chosen.files.filter(isWeights)
  const bytes = weights.reduce((sum, { size }) => sum + size, 0)
  if (weights.length === 0 || bytes < init.weightBytesMin) return undefined
  const source = { repository: repo, commit }
  const directory = commitFolder(repo, commit, init.directory)
  const folder = { client, directory }
  // what a GGUF model has beside its weights is in their headers
  const small = chosen.model === '.' ? chosen.files : []
  for (const file of small) {
    if (!isWeights(file) && !file.path.includes('/'))
      await fetchSmall(source, toRecipeFile(repo, file), folder, options)
  }
  if (chosen.model === '.' && FETCHED_WHOLE.has(modelTypeOf(directory) ?? '')) return undefined
  const read = chosen.files.filter(one => isWeights(one) || isStructure(one))
  const recipe: ModelRecipe = {
    ...source,
    converter: CONVERTER_VERSION,
    quantize: init.quantize ?? 'auto',
    files: read.map(one => toRecipeFile(repo, one)).toSorted((a, b) => (a.path < b.path ? -1 : 1))
  }
  try {
    return {
      ...(await describe(recipe, init, directory, options)),
      source: `hf:${hubModelName({ repo, revision: commit, file })}`
    }
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
  const tokenizerFiles = recipe.files.some(isGguf)
    ? await model.tokenizerFiles(options)
    : await readTokenizerFiles(directory, options)
  checkServable(tokenizerFiles, description)
  const names = fileNames(recipe, layouts.length)
  const files = layouts.map((layout, at): WeightFile => ({ sha256: names[at] ?? '', ...layout }))
  return await storeManifest(description, files, { store, name, tokenizerFiles, recipe })
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
