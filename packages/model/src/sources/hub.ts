import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HubClient, type ListedFile, type RecipeSource } from '../remote/hub-client.ts'
import { listRepository } from '../remote/list-repository.ts'
import { type DownloadOptions, downloadFile } from './download.ts'
import { fetchBarkFolder, isBarkRepository } from './hub-bark.ts'
import { type DiffusersRepository, fetchDiffusersFolder, isDiffusersRepository } from './hub-diffusers.ts'
import {
  COMPLETE,
  commitFolder,
  type DownloadedModel,
  findDownload,
  type HubRevision,
  noteRevision
} from './hub-downloads.ts'
import { chooseHubFiles, findHubFiles } from './hub-files.ts'
import { hubModelName } from './reference.ts'

export interface HubSource extends HubRevision {
  /** SHA-256 that `file` must have, where it is known beforehand. */
  readonly sha256?: string
  /** Without `file`: exactly these files, by path, and the SHA-256 that each must have. */
  readonly pinned?: Readonly<Record<string, string>>
}

export interface HubOptions extends DownloadOptions {
  /** Folder that keeps downloads; what is there complete is not asked for again. */
  readonly directory: string
  /** Default: the public hub. */
  readonly hubUrl?: string
  /** For private and gated repositories. */
  readonly accessToken?: string
  /** Longest wait for an answer to begin; short, so that a machine without a network goes on soon. Default 5 s. */
  readonly connectMs?: number
}

const CONNECT_MS = 5000

/**
 * Fetches a model from the Hugging Face hub. The revision is looked up once, and all files are those of its commit.
 *
 * @throws MeshError `model_not_found` when the repository, revision or file is not there or not open to us; `model_gated`;
 * `model_unavailable` when the hub does not answer; `source_changed`, `hash_mismatch`
 */
export async function fetchFromHub(source: HubSource, options: HubOptions): Promise<DownloadedModel> {
  const found = await findDownload(source, options.directory)
  if (found !== undefined) return found
  const { repo, file } = source
  const name = `hf:${hubModelName(source)}`
  const { hubUrl: url, accessToken: token, connectMs = CONNECT_MS, idleMs, retryMs } = options
  const client = new HubClient({ url, token, connectMs, idleMs, retryMs })
  options.onProgress?.({ phase: 'connect', what: name, bytesDone: 0, bytesTotal: 0 })
  const { commit, ...repository } = await openRepository(client, { ...source, name }, options)
  const directory = commitFolder(repo, commit, options.directory)
  const model = await chooseAndFetch(source, repository, directory)
  if (file === undefined) {
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, COMPLETE), model)
  }
  await noteRevision(source, commit, options.directory)
  return { path: join(directory, model), commit }
}

/** What a repository has at one commit, and how its files and those of others are fetched. */
async function openRepository(
  client: HubClient,
  source: HubSource & { readonly name: string },
  options: HubOptions
): Promise<DiffusersRepository<ListedFile> & { readonly commit: string }> {
  const { repo, name } = source
  const { commit, files } = await listRepository(client, source, options)
  return {
    name,
    commit,
    files,
    download: (entry, path) => {
      const pinned = source.sha256 ?? source.pinned?.[entry.path]
      const digest = pinned === undefined ? entry.digest : { kind: 'sha256' as const, hex: pinned }
      return downloadListed(client, { repository: repo, commit }, { ...entry, digest }, path, options)
    },
    other: other => openRepository(client, { repo: other, name: `hf:${other}` }, options)
  }
}

/** @returns path of the model in the directory */
async function chooseAndFetch(
  { file, pinned }: HubSource,
  repository: DiffusersRepository<ListedFile>,
  directory: string
): Promise<string> {
  const { name, files } = repository
  const fetchFolder = isDiffusersRepository(files)
    ? fetchDiffusersFolder
    : isBarkRepository(files)
      ? fetchBarkFolder
      : undefined
  if (file === undefined && pinned === undefined && fetchFolder !== undefined) {
    await fetchFolder(repository, directory)
    return '.'
  }
  const chosen =
    pinned === undefined
      ? chooseHubFiles(name, files, file)
      : { files: findHubFiles(name, files, Object.keys(pinned)), model: '.' }
  for (const one of chosen.files) await repository.download(one, join(directory, one.path))
  return chosen.model
}

async function downloadListed(
  client: HubClient,
  source: RecipeSource,
  { path: listed, size: bytes, digest }: ListedFile,
  path: string,
  options: HubOptions
): Promise<void> {
  const file = { path: listed, bytes, digest }
  const open = async (offset: number, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> =>
    client.read({ source, file, offset, bytes: bytes - offset }, signal)
  await downloadFile({ name: listed, bytes, digest, open }, path, options)
}
