import {
  describeIssues,
  MeshError,
  type ModelRecipe,
  type RecipeFile,
  safeParse,
  withDeadline
} from '@resultity/interface'
import { z } from 'zod'
import { readWithDeadline } from '../sources/download.ts'
import { type HubQuestion, type HubRefusal, PUBLIC_HUB, refusalError } from '../sources/hub-refusal.ts'
import { hubModelName } from '../sources/reference.ts'
import { HubTrouble, retryAfterMs } from './hub-trouble.ts'
import { followRedirects } from './redirects.ts'

/** Which hub a process may fetch from, as its own operator has set. Nothing that a peer says changes it. */
export interface HubAccess {
  /** Default {@link PUBLIC_HUB}. */
  readonly url?: string | undefined
  /** Shown to this hub and to no other host. */
  readonly token?: string | undefined
}

export interface HubClientInit extends HubAccess {
  /** Longest wait for an answer to begin. Default 15 s. */
  readonly connectMs?: number | undefined
  /** Longest wait for the next bytes. Default 30 s. */
  readonly idleMs?: number | undefined
  /** First pause before another try; it doubles each time. Default 500 ms. */
  readonly retryMs?: number | undefined
}

/** A file of a repository, as the hub lists it. */
export interface ListedFile {
  readonly type: 'file'
  readonly path: string
  readonly size: number
  readonly digest: RecipeFile['digest'] | undefined
}

/** A repository at one commit. */
export interface ListedRepository {
  readonly commit: string
  readonly files: readonly ListedFile[]
}

/** Where a file is: what a recipe says of it. */
export type RecipeSource = Pick<ModelRecipe, 'repository' | 'commit'>

/** Which state of a repository is asked for, and by what name errors call it. */
export interface RepositoryWanted {
  readonly repo: string
  /** Branch, tag or commit. */
  readonly revision: string
  readonly name: string
}

export interface RangeWanted {
  readonly source: RecipeSource
  /** Without a hash where its hub names none. */
  readonly file: Omit<RecipeFile, 'digest'> & { readonly digest: RecipeFile['digest'] | undefined }
  readonly offset: number
  readonly bytes: number
}

/** Two thousand files take some hundred kilobytes. */
const LISTING_BYTES_MAX = 16 * 1024 * 1024
const FILES_MAX = 20_000

const listingSchema = z.looseObject({
  sha: z.string().regex(/^[0-9a-f]{40}$/, 'a commit'),
  siblings: z
    .array(
      z.looseObject({
        rfilename: z.string(),
        size: z.int().nonnegative().nullish(),
        blobId: z.string().nullish(),
        lfs: z.looseObject({ sha256: z.string(), size: z.int().nonnegative() }).nullish()
      })
    )
    .max(FILES_MAX)
})

/** Asks one hub: what a repository has, and for bytes of its files. It keeps nothing. */
export class HubClient {
  readonly url: string
  readonly retryMs: number
  readonly #init: HubClientInit
  #bytesRead = 0

  constructor(init: HubClientInit = {}) {
    this.#init = init
    this.url = (init.url ?? PUBLIC_HUB).replace(/\/+$/, '')
    this.retryMs = init.retryMs ?? 500
  }

  /** Bytes of files that came so far, those of broken attempts too. */
  get bytesRead(): number {
    return this.#bytesRead
  }

  /**
   * What a branch, tag or commit has now, and which commit that is.
   *
   * @throws MeshError `model_not_found`, `model_gated`, `model_unavailable`
   */
  async repository(
    { repo: repository, revision, name }: RepositoryWanted,
    signal?: AbortSignal
  ): Promise<ListedRepository> {
    const url = `${this.url}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`
    const { response, end } = await this.#ask(url, { repository, name }, {}, signal)
    const parts: Uint8Array[] = []
    let bytes = 0
    try {
      for await (const part of this.#chunks(response, `the list of files of ${name}`, signal)) {
        bytes += part.byteLength
        if (bytes > LISTING_BYTES_MAX) {
          throw new MeshError('resource_exhausted', `the list of files of ${name} is over ${LISTING_BYTES_MAX} bytes`)
        }
        parts.push(part)
      }
    } finally {
      end()
    }
    const parsed = safeParse(listingSchema, parseJson(Buffer.concat(parts)))
    if (!parsed.success) {
      throw new MeshError('model_unavailable', `${this.url} answered with no list of files of ${name}`, {
        hint: `Check that it is a hub, as HF_ENDPOINT or --hub says: ${describeIssues(parsed.error, {})}.`
      })
    }
    const files = parsed.data.siblings.map(({ rfilename, size, blobId, lfs }): ListedFile => {
      const git = /^[0-9a-f]{40}$/.test(blobId ?? '') ? { kind: 'git-blob' as const, hex: blobId ?? '' } : undefined
      const digest = lfs == null ? git : { kind: 'sha256' as const, hex: lfs.sha256 }
      return { type: 'file', path: rfilename, size: lfs?.size ?? size ?? 0, digest }
    })
    return { commit: parsed.data.sha, files }
  }

  /**
   * Bytes of a file. What comes is never more than was asked for.
   *
   * @throws MeshError `model_gated`, `model_not_found`; `source_changed` when the file is another than the recipe says;
   * `not_implemented` when the hub serves whole files only; HubTrouble for what may pass
   */
  async *read(wanted: RangeWanted, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const { source, file, offset, bytes } = wanted
    if (bytes === 0) return
    const path = file.path.split('/').map(encodeURIComponent).join('/')
    const url = `${this.url}/${source.repository}/resolve/${source.commit}/${path}`
    const range = `bytes=${offset}-${offset + bytes - 1}`
    const { repository, commit } = source
    const name = `hf:${hubModelName({ repo: repository, revision: commit, file: file.path })}`
    const { response, end } = await this.#ask(url, { repository, name }, { range }, signal, wanted)
    try {
      checkRange(response, wanted)
      let left = bytes
      for await (const chunk of this.#chunks(response, file.path, signal)) {
        const taken = chunk.subarray(0, left)
        this.#bytesRead += taken.byteLength
        left -= taken.byteLength
        yield taken
        if (left === 0) return
      }
      throw new HubTrouble(`the connection ended ${left} bytes before the end of what was asked for`)
    } finally {
      end()
    }
  }

  async *#chunks(response: Response, name: string, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    if (response.body === null) return
    try {
      yield* readWithDeadline(response.body, name, this.#init.idleMs ?? 30_000, signal ?? new AbortController().signal)
    } catch (error) {
      signal?.throwIfAborted()
      throw HubTrouble.from(error)
    }
  }

  /** An answer of success, and what ends its connection. */
  async #ask(
    url: string,
    asked: Pick<HubQuestion, 'name' | 'repository'>,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
    wanted?: RangeWanted
  ): Promise<{ response: Response; end: () => void }> {
    const { token, connectMs = 15_000 } = this.#init
    const connection = new AbortController()
    const end = (): void => connection.abort(new MeshError('canceled', 'the hub is asked no more'))
    const signals = signal === undefined ? [connection.signal] : [signal, connection.signal]
    const secret = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const init = { signal: AbortSignal.any(signals), headers: { ...headers, 'accept-encoding': 'identity' } }
    try {
      const { response, own } = await withDeadline(
        `an answer of ${new URL(url).host}`,
        connectMs,
        () => followRedirects(url, { ...init, secret, onAnswer: one => wanted && checkIdentity(one, wanted) }),
        signal === undefined ? {} : { signal }
      )
      if (response.ok) return { response, end }
      await response.body?.cancel()
      throw this.#refused(asked, response, own)
    } catch (error) {
      end()
      signal?.throwIfAborted()
      throw HubTrouble.from(error, { silent: true })
    }
  }

  #refused(asked: Pick<HubQuestion, 'name' | 'repository'>, { status, headers, url }: Response, own: boolean): Error {
    const code = headers.get('x-error-code') ?? undefined
    const question = { ...asked, url: this.url, withToken: this.#init.token !== undefined }
    if (own && [401, 403, 404].includes(status)) return refusalError(question, { status, code } satisfies HubRefusal)
    if (status === 416) return changed(asked.name, 'is shorter than it was')
    return new HubTrouble(`${new URL(url).host} answered with ${status}`, {
      retryAfterMs: retryAfterMs(headers.get('retry-after'))
    })
  }
}

/**
 * Compares what the hub itself says of the file with what the recipe says. Servers that files are kept on say nothing that could
 * be compared, and nor do some mirrors: then its size is checked, and in the end the hash of what was made of it.
 */
function checkIdentity({ headers }: Response, { source, file }: RangeWanted): void {
  const commit = headers.get('x-repo-commit')
  if (commit !== null && commit !== source.commit) {
    throw changed(file.path, `is of commit ${commit.slice(0, 40)}, not of ${source.commit}`)
  }
  const etag = (headers.get('x-linked-etag') ?? headers.get('etag'))?.replace(/^W\//, '').replaceAll('"', '') ?? ''
  const hex = file.digest?.hex ?? ''
  const comparable = etag.length === hex.length && /^[0-9a-f]+$/.test(etag)
  if (comparable && etag !== hex) {
    throw changed(file.path, `has the hash ${etag}, and not ${hex} as its model says`)
  }
  const size = headers.get('x-linked-size')
  if (size !== null && Number(size) !== file.bytes) throw changed(file.path, `has ${size} bytes, not ${file.bytes}`)
}

function checkRange(response: Response, { file, offset, bytes }: RangeWanted): void {
  if (response.status !== 206) {
    // a whole file that was asked for whole
    if (offset === 0 && bytes === file.bytes) return
    throw new MeshError(
      'not_implemented',
      `${new URL(response.url || 'http://hub').host} serves no ranges of ${file.path}`,
      {
        hint: 'Have the coordinator fetch the whole model, by a larger --import-max, or set another hub with --hub.'
      }
    )
  }
  const [, from, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? []
  if (from !== String(offset)) throw new HubTrouble(`bytes from ${from ?? '?'} on came, not from ${offset}`)
  if (total !== '*' && total !== String(file.bytes)) throw changed(file.path, `has ${total} bytes, not ${file.bytes}`)
}

function changed(what: string, how: string): MeshError {
  return new MeshError('source_changed', `${what} ${how}`, {
    hint: 'The repository was changed or the hub is not the one that the coordinator asked. Import the model again.'
  })
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}
