import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { HubApiError, downloadFile as hubFile, type ListFileEntry, listFiles } from '@huggingface/hub'
import { ggufPartPaths } from '@resultity/formats'
import { type FileDigest, MeshError } from '@resultity/interface'
import { type DownloadOptions, downloadFile, isFile, type RemoteFile, reasonOf } from './download.ts'
import { fetchBarkFolder, isBarkRepository } from './hub-bark.ts'
import { fetchDiffusersFolder, isDiffusersRepository } from './hub-diffusers.ts'
import { COMPLETE, DEFAULT_REVISION, downloadFolder } from './hub-downloads.ts'
import { chooseHubFiles, findHubFiles, POOLING_FOLDER } from './hub-files.ts'
import { PUBLIC_HUB, refusalError } from './hub-refusal.ts'

export interface HubSource {
  readonly repo: string
  /** Undefined: the repository's safetensors model, or its only GGUF file. */
  readonly file: string | undefined
  /** Branch, tag or commit; default `main`. */
  readonly revision?: string
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

/** A repository's folder has some tens of files; one with more than this is no model. */
const ENTRIES_MAX = 2000

/** Of a listing's pages: 2,000 entries have some hundred kilobytes. */
const LISTING_BYTES_MAX = 16 * 1024 * 1024
const LISTING_PAGES_MAX = 64

/**
 * Fetches a model from the Hugging Face hub.
 *
 * @returns path of the GGUF file or of the model folder
 * @throws MeshError `model_not_found` when the repository or file is not there or not open to us;
 * `model_unavailable` or `deadline_exceeded` when the hub does not answer; `hash_mismatch`
 */
export async function fetchFromHub(source: HubSource, options: HubOptions): Promise<string> {
  const revision = source.revision ?? DEFAULT_REVISION
  const directory = downloadFolder(source, options.directory)
  const marker = join(directory, COMPLETE)
  const named = source.file === undefined ? [] : ggufPartPaths(join(directory, source.file))
  const [first] = named
  if (first !== undefined && (await Promise.all(named.map(isFile))).every(Boolean)) return first
  if (source.file === undefined && (await isFile(marker))) return join(directory, await readFile(marker, 'utf8'))
  const session = new HubSession(source, revision, options)
  try {
    const entries = await session.list(source.file === undefined ? '.' : dirname(source.file))
    const fetchFolder = isDiffusersRepository(entries)
      ? fetchDiffusersFolder
      : isBarkRepository(entries)
        ? fetchBarkFolder
        : undefined
    if (source.file === undefined && source.pinned === undefined && fetchFolder !== undefined) {
      await fetchFolder(session, entries, directory)
      await writeFile(marker, '.')
      return directory
    }
    if (
      source.file === undefined &&
      entries.some(({ type, path }) => type === 'directory' && path === POOLING_FOLDER)
    ) {
      entries.push(...(await session.list(POOLING_FOLDER)))
    }
    const { files, model } =
      source.pinned === undefined
        ? chooseHubFiles(session.name, entries, source.file)
        : { files: findHubFiles(session.name, entries, Object.keys(source.pinned)), model: '.' }
    for (const file of files) await session.download(file, join(directory, file.path))
    if (source.file === undefined) await writeFile(marker, model)
    return join(directory, model)
  } catch (error) {
    throw session.explain(error)
  }
}

/** One repository at one revision. */
class HubSession {
  /** As an operator writes it. */
  readonly name: string
  readonly #source: HubSource
  readonly #revision: string
  readonly #options: HubOptions

  constructor(source: HubSource, revision: string, options: HubOptions) {
    this.name = source.file === undefined ? `hf:${source.repo}` : `hf:${source.repo}:${source.file}`
    this.#source = source
    this.#revision = revision
    this.#options = options
  }

  other(repo: string): HubSession {
    return new HubSession({ repo, file: undefined }, DEFAULT_REVISION, this.#options)
  }

  async list(folder: string): Promise<ListFileEntry[]> {
    this.#options.onProgress?.({ phase: 'connect', what: this.name, bytesDone: 0, bytesTotal: 0 })
    const path = folder === '.' ? {} : { path: folder }
    const entries: ListFileEntry[] = []
    const parameters = this.#parameters(this.#options.signal)
    for await (const entry of listFiles({ ...parameters, fetch: boundedFetch(parameters.fetch, this.name), ...path })) {
      entries.push(entry)
      if (entries.length > ENTRIES_MAX) {
        throw new MeshError('resource_exhausted', `${this.name} has more than ${ENTRIES_MAX} files`)
      }
    }
    return entries
  }

  async download(entry: ListFileEntry, path: string): Promise<void> {
    const pinned = this.#source.sha256 ?? this.#source.pinned?.[entry.path]
    const remote: RemoteFile = {
      name: entry.path,
      bytes: entry.size,
      digest: pinned === undefined ? digestOf(entry) : { kind: 'sha256', hex: pinned },
      open: async (offset, signal) => {
        // plain ranges instead of the hub's chunk protocol: only they continue a file that is half there
        const blob = await hubFile({ ...this.#parameters(signal), path: entry.path, xet: false })
        if (blob === null) throw new MeshError('model_not_found', `${this.name} is not there`)
        return blob.slice(offset).stream()
      }
    }
    await downloadFile(remote, path, this.#options)
  }

  /** `error` as one that says what to do. */
  explain(error: unknown): unknown {
    this.#options.signal?.throwIfAborted()
    const cause = error instanceof MeshError && error.cause instanceof HubApiError ? error.cause : error
    if (cause instanceof HubApiError && [401, 403, 404].includes(cause.statusCode)) {
      const { hubUrl = PUBLIC_HUB, accessToken } = this.#options
      return refusalError(
        { name: this.name, repository: this.#source.repo, url: hubUrl, withToken: accessToken !== undefined },
        { status: cause.statusCode, cause }
      )
    }
    if (error instanceof MeshError) return error
    return new MeshError('model_unavailable', `the model hub did not serve ${this.name}: ${reasonOf(error)}`, {
      hint: 'Check the network, or use a model that is on this machine: file:DIR_OR_GGUF.',
      cause: error
    })
  }

  #parameters(signal: AbortSignal | undefined) {
    const { hubUrl, accessToken, connectMs } = this.#options
    return {
      repo: this.#source.repo,
      revision: this.#revision,
      fetch: impatientFetch(connectMs ?? 5000, signal),
      ...(hubUrl === undefined ? {} : { hubUrl }),
      ...(accessToken === undefined ? {} : { accessToken })
    }
  }
}

/** `fetch` for a listing: so many pages, and so many bytes in all. */
function boundedFetch(inner: typeof fetch, name: string): typeof fetch {
  let pages = 0
  let bytes = 0
  const tooMuch = (what: string): MeshError =>
    new MeshError('resource_exhausted', `the list of files of ${name} ${what}`)
  const counter = (): TransformStream<Uint8Array, Uint8Array> =>
    new TransformStream({
      transform(chunk, controller) {
        bytes += chunk.byteLength
        if (bytes > LISTING_BYTES_MAX) controller.error(tooMuch(`has more than ${LISTING_BYTES_MAX} bytes`))
        else controller.enqueue(chunk)
      }
    })
  return async (input, init) => {
    pages += 1
    if (pages > LISTING_PAGES_MAX) throw tooMuch(`has more than ${LISTING_PAGES_MAX} pages`)
    const response = await inner(input, init)
    return new Response(response.body?.pipeThrough(counter()) ?? null, response)
  }
}

function digestOf(entry: ListFileEntry): FileDigest | undefined {
  if (entry.lfs !== undefined) return { kind: 'sha256', hex: entry.lfs.oid }
  return entry.oid === undefined ? undefined : { kind: 'git-blob', hex: entry.oid }
}

/** `fetch` that gives up when no answer began within `ms`, and that `signal` also stops while the body comes. */
function impatientFetch(ms: number, signal: AbortSignal | undefined): typeof fetch {
  return async (input, init) => {
    const late = new AbortController()
    const host = new URL(input instanceof Request ? input.url : input).host
    const timer = setTimeout(
      () => late.abort(new MeshError('deadline_exceeded', `${host} gave no answer in ${ms} ms`)),
      ms
    )
    try {
      return await fetch(input, {
        ...init,
        signal: AbortSignal.any(signal === undefined ? [late.signal] : [signal, late.signal])
      })
    } finally {
      clearTimeout(timer)
    }
  }
}
