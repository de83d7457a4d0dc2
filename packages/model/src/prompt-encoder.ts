import { Worker } from 'node:worker_threads'
import { type AbortOptions, type BlobStore, type DecoderManifest, MeshError } from '@resultity/interface'
import type { ChatMessage, ChatTemplateOptions } from './chat-template.ts'
import {
  fromFailure,
  type PromptReply,
  type PromptRequest,
  type PromptThreadInit,
  type PromptWork
} from './prompt-messages.ts'
import { loadTokenizer, type ModelTokenizer } from './tokenizer.ts'

/** Prompts of more characters go to the thread: vocabularies that cut no words take 5 µs for a character. */
const INLINE_CHARACTERS_MAX = 4096

/** Long prompts that may wait for the thread. */
const WAITING_MAX = 256

/** A thread of a big vocabulary holds some 100 MB, and a new one takes half a second. */
const IDLE_MS = 60_000

/**
 * Makes tokens of prompts: of short ones at once, of long ones in a thread, since a megabyte would hold the event loop for
 * a second. The thread starts with the first long prompt, ends when idle, and does not keep the process alive.
 */
export class PromptEncoder implements AsyncDisposable {
  readonly tokenizer: ModelTokenizer
  readonly #init: PromptThreadInit
  readonly #pending = new Map<number, PromiseWithResolvers<number[][]>>()
  #worker: Worker | undefined
  #idle: NodeJS.Timeout | undefined
  #nextId = 0
  #disposed = false

  private constructor(tokenizer: ModelTokenizer, init: PromptThreadInit) {
    this.tokenizer = tokenizer
    this.#init = init
  }

  /**
   * @param contextLength positions of the longest context that is served
   * @throws MeshError `blob_not_found`, `model_invalid`
   */
  static async open(
    manifest: DecoderManifest,
    contextLength: number,
    store: BlobStore,
    options: AbortOptions = {}
  ): Promise<PromptEncoder> {
    const { definition, config, endTokenIds } = manifest.tokenizer
    const tokenizer = await loadTokenizer(manifest, store, { contextLength, ...options })
    return new PromptEncoder(tokenizer, {
      definitionPath: await pathOf(definition.sha256, store),
      configPath: await pathOf(config.sha256, store),
      endTokenIds,
      limits: { vocabularySize: manifest.config.vocabularySize, contextLength }
    })
  }

  /** As {@link ModelTokenizer.encode}, of several texts. @throws also MeshError `resource_exhausted` */
  async encode(texts: readonly string[]): Promise<number[][]> {
    const hopeless = texts.some(text => text.length > this.tokenizer.charactersMax)
    const characters = texts.reduce((sum, text) => sum + text.length, 0)
    // what is refused by its length alone is refused here
    if (characters > INLINE_CHARACTERS_MAX && !hopeless) return await this.#ask({ type: 'texts', texts })
    return texts.map(text => this.tokenizer.encode(text))
  }

  /** As {@link ModelTokenizer.encodeChat}. @throws also MeshError `resource_exhausted` */
  async encodeChat(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): Promise<number[]> {
    if (sizeOf(messages, options) <= INLINE_CHARACTERS_MAX) return this.tokenizer.encodeChat(messages, options)
    const [ids = []] = await this.#ask({ type: 'chat', messages, options })
    return ids
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    await this.#end()
    this.#fail(closed())
  }

  async #ask(work: PromptWork): Promise<number[][]> {
    if (this.#disposed) throw closed()
    if (this.#pending.size >= WAITING_MAX) {
      throw new MeshError('resource_exhausted', `${WAITING_MAX} long prompts wait to be read`, {
        hint: 'Try again in some seconds, or send shorter prompts.'
      })
    }
    clearTimeout(this.#idle)
    this.#worker ??= this.#start()
    const worker = this.#worker
    const id = this.#nextId
    this.#nextId += 1
    const waiter = Promise.withResolvers<number[][]>()
    this.#pending.set(id, waiter)
    worker.ref()
    const request: PromptRequest = { ...work, id }
    worker.postMessage(request)
    return await waiter.promise
  }

  async #end(): Promise<void> {
    clearTimeout(this.#idle)
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }

  #start(): Worker {
    const worker = new Worker(new URL('./prompt-worker.js', import.meta.url), { workerData: this.#init })
    worker.on('message', (reply: PromptReply) => {
      const waiter = this.#pending.get(reply.id)
      this.#pending.delete(reply.id)
      if (this.#pending.size === 0) this.#rest(worker)
      if ('ids' in reply) waiter?.resolve(reply.ids.map(ids => Array.from(ids)))
      else waiter?.reject(fromFailure(reply.failure))
    })
    worker.on('error', error => this.#fail(MeshError.from(error)))
    worker.on('exit', () => {
      // one that was ended for idling has been replaced already, if there was more to do
      if (this.#worker === worker) this.#fail(new MeshError('unavailable', 'the thread that reads prompts ended'))
    })
    return worker
  }

  #rest(worker: Worker): void {
    worker.unref()
    this.#idle = setTimeout(() => void this.#end(), IDLE_MS)
    this.#idle.unref()
  }

  #fail(error: MeshError): void {
    this.#worker = undefined
    for (const waiter of this.#pending.values()) waiter.reject(error)
    this.#pending.clear()
  }
}

/** Characters of all that becomes part of the prompt. */
function sizeOf(messages: readonly ChatMessage[], { tools }: ChatTemplateOptions): number {
  const calls = messages.flatMap(({ toolCalls }) => toolCalls ?? [])
  const rest = calls.length === 0 && tools === undefined ? 0 : JSON.stringify([calls, tools]).length
  // every turn has a head
  return messages.reduce((sum, { content }) => sum + content.length + 16, rest)
}

function closed(): MeshError {
  return new MeshError('unavailable', 'the model is no longer served')
}

async function pathOf(sha256: string, store: BlobStore): Promise<string> {
  const path = await store.find(sha256)
  if (path !== undefined) return path
  throw new MeshError('blob_not_found', `blob ${sha256} is not in the store`, { hint: 'Import the model again.' })
}
