import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { IngestingBlobStore } from '@resultity/blobs'
import { type FileExtent, GGUF_WINDOW_BYTES } from '@resultity/formats'
import {
  type AbortOptions,
  type BlobProgress,
  MeshError,
  type ModelRecipe,
  modelInvalid,
  type RecipeFile,
  type WeightFile
} from '@resultity/interface'
import type { TokenizerFiles } from '@resultity/tokenizer'
import { downloadFile } from '../sources/download.ts'
import { fileOf, fillSpool, readRange } from './fill-spool.ts'
import type { HubClient, RecipeSource } from './hub-client.ts'
import { describeFile, isGguf, isWeights, requireConverter } from './recipe.ts'
import type { Head, RemotePlan } from './remote-messages.ts'
import { RemoteThread } from './remote-thread.ts'
import { Spool } from './spool.ts'
import type { HubReadOptions } from './tries.ts'

export interface RemoteModelInit {
  readonly client: HubClient
  /** Keeps small files, and what was fetched and is not converted yet. */
  readonly directory: string
  /** Bytes of a spool between two syncs. Default 64 MiB. */
  readonly syncBytes?: number | undefined
}

/** A weight file that is in the store now. */
export interface MadeFile {
  readonly index: number
  readonly sha256: string
}

export interface MakeOptions extends HubReadOptions {
  /** Bytes fetched and bytes written, of all that will be. */
  onProgress?(progress: BlobProgress): void
}

/** Read at least so much of a file at a time: most headers are shorter, and a header comes in one answer. */
const HEAD_BYTES = 64 * 1024

/** The same of a header that is longer, at the most. */
const AHEAD_BYTES_MAX = 4 * 1024 * 1024

/** Headers and small tensors of one model, in memory. A shard's header takes some tens of kilobytes. */
const HEADS_BYTES_MAX = 128 * 1024 * 1024

/** Small files are configuration; the index of the largest models is some megabytes. */
const SMALL_FILE_BYTES_MAX = 32 * 1024 * 1024

/**
 * A checkpoint on a hub, of which only headers were read. Makes weight files of it, each from the byte ranges that it needs.
 */
export class RemoteModel implements AsyncDisposable {
  readonly recipe: ModelRecipe
  readonly plan: RemotePlan
  readonly #init: RemoteModelInit
  readonly #thread: RemoteThread

  private constructor(recipe: ModelRecipe, init: RemoteModelInit, thread: RemoteThread, plan: RemotePlan) {
    this.recipe = recipe
    this.plan = plan
    this.#init = init
    this.#thread = thread
  }

  /**
   * Reads the small files and the headers, and lays the model out.
   *
   * @throws MeshError `model_invalid`; `model_gated`, `model_not_found`, `model_unavailable`, `source_changed`,
   * `not_implemented` when the hub serves no ranges
   */
  static async open(recipe: ModelRecipe, init: RemoteModelInit, options: HubReadOptions = {}): Promise<RemoteModel> {
    requireConverter(recipe)
    await mkdir(init.directory, { recursive: true })
    const weights = recipe.files.filter(isWeights)
    for (const file of recipe.files) if (!isWeights(file)) await fetchSmall(recipe, file, init, options)
    const thread = new RemoteThread({
      directory: init.directory,
      quantize: recipe.quantize,
      weights: weights.map(({ path, bytes }) => ({ path, bytes }))
    })
    try {
      return new RemoteModel(recipe, init, thread, await planModel(recipe, init.client, thread, options))
    } catch (error) {
      await thread[Symbol.asyncDispose]()
      throw error
    }
  }

  /** @throws MeshError `model_invalid` when this version lays files out otherwise than the manifest says */
  requireLayouts(files: readonly WeightFile[]): void {
    const { layouts } = this.plan
    const same =
      files.length === layouts.length &&
      files.every(({ bytes, tensors }, at) => JSON.stringify({ bytes, tensors }) === JSON.stringify(layouts[at]))
    if (same) return
    throw modelInvalid(
      this.recipe.repository,
      'is laid out otherwise by its manifest than by this version',
      'Node and coordinator are of different versions; upgrade the older one.'
    )
  }

  /** The tokenizer of a GGUF model, by its header. @throws MeshError `model_invalid` */
  async tokenizerFiles(options: AbortOptions = {}): Promise<TokenizerFiles> {
    const reply = await this.#thread.ask({ kind: 'tokenizer' }, options)
    if (reply.kind === 'tokenizer') return reply.files
    throw unexpected(reply.kind)
  }

  /** Bytes to fetch for a file that nothing has come of. */
  sourceBytes(index: number): number {
    return sumOf(this.#sourcesOf(index))
  }

  /**
   * Makes weight files one after the other and puts each into the store as soon as it is made. While one is converted, the
   * ranges of the next one come.
   *
   * @throws MeshError as {@link RemoteModel.open}; `model_unavailable` when the hub breaks off; what came is kept
   */
  async *make(
    indices: readonly number[],
    store: Pick<IngestingBlobStore, 'ingest'>,
    options: MakeOptions = {}
  ): AsyncGenerator<MadeFile> {
    const stopped = new AbortController()
    const signals = options.signal === undefined ? [stopped.signal] : [options.signal, stopped.signal]
    const own = { ...options, signal: AbortSignal.any(signals) }
    const count = this.#counter(indices, options)
    await removeSpools(this.#init.directory, indices)
    let coming: Promise<Spool> | undefined
    try {
      for (const [at, index] of indices.entries()) {
        const spool = await (coming ?? this.#fetch(index, count, own))
        const next = indices[at + 1]
        coming = next === undefined ? undefined : this.#fetch(next, count, own)
        // reported when it is waited for
        coming?.catch(() => undefined)
        const { sha256 } = await store.ingest(this.#converted(index, spool, count, own), own)
        await spool.delete()
        yield { index, sha256 }
      }
    } finally {
      stopped.abort(new MeshError('canceled', 'no more files are made'))
      await coming?.then(spool => spool[Symbol.asyncDispose]()).catch(() => undefined)
    }
  }

  /** The hash that a file gets when it is made, without keeping it. @throws as {@link make} */
  async hashOf(index: number, options: HubReadOptions = {}): Promise<string> {
    const spool = await this.#fetch(index, () => undefined, options)
    try {
      const reply = await this.#thread.ask({ kind: 'hash', index, spool: spool.content }, options)
      if (reply.kind === 'hashed') return reply.sha256
      throw unexpected(reply.kind)
    } finally {
      await spool.delete()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread[Symbol.asyncDispose]()
  }

  #counter(indices: readonly number[], { onProgress }: MakeOptions): (bytes: number) => void {
    const { layouts } = this.plan
    const bytesTotal = indices.reduce((sum, at) => sum + this.sourceBytes(at) + (layouts[at]?.bytes ?? 0), 0)
    let bytesDone = 0
    return bytes => {
      bytesDone += bytes
      onProgress?.({ bytesDone, bytesTotal })
    }
  }

  async #fetch(index: number, onBytes: (bytes: number) => void, options: HubReadOptions): Promise<Spool> {
    const { client, directory, syncBytes } = this.#init
    const path = join(directory, spoolName(index))
    const spool = await Spool.open({ path, extents: this.#sourcesOf(index) }, syncBytes)
    try {
      onBytes(spool.bytes)
      await fillSpool(client, this.recipe, spool, { ...options, onBytes })
    } finally {
      // what came stays; the conversion opens it for itself
      await spool[Symbol.asyncDispose]()
    }
    return spool
  }

  async *#converted(
    index: number,
    { content }: Spool,
    count: (bytes: number) => void,
    options: HubReadOptions
  ): AsyncGenerator<Uint8Array> {
    let reply = await this.#thread.ask({ kind: 'convert', index, spool: content }, options)
    while (reply.kind === 'chunk') {
      yield reply.chunk
      count(reply.chunk.byteLength)
      reply = await this.#thread.ask({ kind: 'next' }, options)
    }
    if (reply.kind !== 'file-end') throw unexpected(reply.kind)
  }

  #sourcesOf(index: number): readonly FileExtent[] {
    const sources = this.plan.sources[index]
    if (sources !== undefined) return sources
    const { length } = this.plan.sources
    throw new MeshError('internal', `${this.recipe.repository} has no file ${describeFile(index, length)}`)
  }
}

function spoolName(index: number): string {
  return `${index}.spool`
}

/** Removes what came for files that are not wanted any more. */
async function removeSpools(directory: string, wanted: readonly number[]): Promise<void> {
  const kept = new Set(wanted.map(spoolName))
  const names = (await readdir(directory)).filter(name => name.endsWith('.spool') && !kept.has(name))
  for (const name of names) await rm(join(directory, name), { force: true })
}

/**
 * Asks for the plan again and again, each time with the bytes that were missing the time before. As soon as the first are missing,
 * and the settings thus are those of a model that is known, the beginnings of all weight files come: each try reads all headers.
 */
async function planModel(
  recipe: ModelRecipe,
  client: HubClient,
  thread: RemoteThread,
  options: HubReadOptions
): Promise<RemotePlan> {
  let bytesRead = 0
  const readOf = new Map<string, number>()
  const read = async ({ file: path, offset, bytes: least }: FileExtent): Promise<Head> => {
    const file = fileOf(recipe, path)
    // the vocabulary in a GGUF takes some megabytes: as much again comes each time
    const ahead = isGguf(file)
      ? Math.max(GGUF_WINDOW_BYTES, Math.min(readOf.get(path) ?? 0, AHEAD_BYTES_MAX))
      : HEAD_BYTES
    const bytes = Math.min(Math.max(least, ahead), file.bytes - offset)
    bytesRead += bytes
    readOf.set(path, (readOf.get(path) ?? 0) + bytes)
    if (bytesRead > HEADS_BYTES_MAX) {
      throw modelInvalid(recipe.repository, `has headers of more than ${HEADS_BYTES_MAX} bytes`)
    }
    const content = await readRange(client, { source: recipe, file, offset, bytes }, options)
    return { file: path, offset, bytes, content }
  }
  let heads: Head[] = []
  for (;;) {
    const reply = await thread.ask({ kind: 'plan', heads }, options)
    if (reply.kind === 'plan') return reply
    if (reply.kind !== 'missing') throw unexpected(reply.kind)
    const beginnings = recipe.files.filter(isWeights).map(({ path: file }) => ({ file, offset: 0, bytes: 0 }))
    heads = []
    for (const extent of bytesRead === 0 ? beginnings : [reply.extent]) heads.push(await read(extent))
  }
}

/** Fetches a small file into the folder, unless it is there, and checks its hash. */
export async function fetchSmall(
  source: RecipeSource,
  file: RecipeFile,
  { client, directory }: RemoteModelInit,
  options: HubReadOptions
): Promise<void> {
  if (file.bytes > SMALL_FILE_BYTES_MAX) {
    throw modelInvalid(`${source.repository}/${file.path}`, `has ${file.bytes} bytes, over ${SMALL_FILE_BYTES_MAX}`)
  }
  const open = async function* (offset: number): AsyncGenerator<Uint8Array> {
    yield await readRange(client, { source, file, offset, bytes: file.bytes - offset }, options)
  }
  const { path: name, bytes, digest } = file
  await downloadFile(
    { name, bytes, digest, open: async offset => open(offset) },
    join(directory, name),
    options.signal ? { signal: options.signal } : {}
  )
}

function sumOf(extents: readonly { readonly bytes: number }[]): number {
  return extents.reduce((sum, { bytes }) => sum + bytes, 0)
}

function unexpected(kind: string): MeshError {
  return new MeshError('internal', `the converter answered with "${kind}"`)
}
