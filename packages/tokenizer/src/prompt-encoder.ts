import {
  type AbortOptions,
  type BlobStore,
  type DecoderManifest,
  MeshError,
  type Scheduler,
  type TaskOverrun,
  TaskThread
} from '@resultity/interface'
import type { PromptThreadInit, PromptWork } from './prompt-messages.ts'
import { TemplateTooLong } from './templates/bounded-interpreter.ts'
import type { ChatMessage } from './templates/chat-message.ts'
import { type ChatTemplateOptions, QUICK_RENDERING } from './templates/chat-template.ts'
import { loadTokenizer, type ModelTokenizer } from './tokenizer.ts'

/** Prompts of more characters go to the thread: vocabularies that cut no words take 5 µs for a character. */
const INLINE_CHARACTERS_MAX = 4096

/** Prompts that may wait for the thread. */
const WAITING_MAX = 256

/** A thread of a big vocabulary holds some 100 MB, and a new one takes half a second. */
const IDLE_MS = 60_000

/** The longest prompts take some seconds. */
const DEADLINE_MS = 20_000

/** Building a vocabulary of 260,000 tokens takes some 500. */
const HEAP_MIB = 2048

export interface PromptEncoderOptions extends AbortOptions {
  /** Reading one prompt in the thread. Default 20,000. */
  readonly deadlineMs?: number
  /** Measures deadlines. Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/**
 * Makes tokens of prompts: of short ones at once, of others in a thread, since a megabyte would hold the event loop for
 * a second. Short ones go there too where the model's template or pre-tokenizer may take long over them. The thread
 * starts with its first prompt, ends when idle, and is replaced when a prompt takes too long.
 */
export class PromptEncoder implements AsyncDisposable {
  readonly tokenizer: ModelTokenizer
  readonly #name: string
  readonly #thread: TaskThread
  readonly #deadlineMs: number
  #disposed = false

  private constructor(
    name: string,
    tokenizer: ModelTokenizer,
    init: PromptThreadInit,
    { deadlineMs = DEADLINE_MS, scheduler }: PromptEncoderOptions
  ) {
    this.#name = name
    this.tokenizer = tokenizer
    this.#deadlineMs = deadlineMs
    this.#thread = new TaskThread({
      url: new URL('./prompt-worker.js', import.meta.url),
      workerData: init,
      tasksMax: WAITING_MAX,
      idleMs: IDLE_MS,
      heapMib: HEAP_MIB,
      tasks: 'long prompts',
      ...(scheduler === undefined ? {} : { scheduler })
    })
  }

  /**
   * @param contextLength positions of the longest context that is served
   * @throws MeshError `blob_not_found`, `model_invalid`
   */
  static async open(
    manifest: DecoderManifest,
    contextLength: number,
    store: BlobStore,
    options: PromptEncoderOptions = {}
  ): Promise<PromptEncoder> {
    const { definition, config, endTokenIds } = manifest.tokenizer
    const tokenizer = await loadTokenizer(manifest, store, { contextLength, ...options })
    const init = {
      definitionPath: await pathOf(definition.sha256, store),
      configPath: await pathOf(config.sha256, store),
      endTokenIds,
      limits: { vocabularySize: manifest.config.vocabularySize, contextLength }
    }
    return new PromptEncoder(manifest.name, tokenizer, init, options)
  }

  /**
   * As {@link ModelTokenizer.encode}, of several texts.
   * @throws also MeshError `resource_exhausted`; `invalid_request` for texts that take too long
   */
  async encode(texts: readonly string[]): Promise<number[][]> {
    const tooLong = texts.some(text => text.length > this.tokenizer.charactersMax)
    const characters = texts.reduce((sum, text) => sum + text.length, 0)
    // what is refused by its length alone is refused here
    const inline = tooLong || (characters <= INLINE_CHARACTERS_MAX && this.tokenizer.cutsQuickly)
    return inline ? texts.map(text => this.tokenizer.encode(text)) : await this.#ask({ type: 'texts', texts })
  }

  /**
   * As {@link ModelTokenizer.encodeChat}.
   * @throws also MeshError `resource_exhausted`; `invalid_request` for messages that take too long
   */
  async encodeChat(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): Promise<number[]> {
    const ids = this.#quickly(messages, options, quick => this.tokenizer.encodeChat(messages, quick))
    if (ids !== undefined) return ids
    const [made = []] = await this.#ask({ type: 'chat', messages, options })
    return made
  }

  /**
   * As {@link ModelTokenizer.applyChatTemplate}.
   * @throws also MeshError `resource_exhausted`; `invalid_request` for messages that take too long
   */
  async applyChatTemplate(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): Promise<string> {
    const text = this.#quickly(messages, options, quick => this.tokenizer.applyChatTemplate(messages, quick))
    return text ?? (await this.#run<string>({ type: 'template', messages, options }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    await this.#thread[Symbol.asyncDispose]()
  }

  /** Undefined where it may take long: then the thread is to do it. */
  #quickly<T>(
    messages: readonly ChatMessage[],
    options: ChatTemplateOptions,
    work: (options: ChatTemplateOptions) => T
  ): T | undefined {
    if (!this.tokenizer.cutsQuickly || sizeOf(messages, options) > INLINE_CHARACTERS_MAX) return undefined
    try {
      return work({ ...options, budget: QUICK_RENDERING })
    } catch (error) {
      if (error instanceof MeshError && error.cause instanceof TemplateTooLong) return undefined
      throw error
    }
  }

  async #ask(work: PromptWork): Promise<number[][]> {
    const ids = await this.#run<readonly Uint32Array[]>(work)
    return ids.map(each => Array.from(each))
  }

  async #run<Result>(work: PromptWork): Promise<Result> {
    if (this.#disposed) throw new MeshError('unavailable', 'the model is no longer served')
    const param = work.type === 'texts' ? 'prompt' : 'messages'
    const overrun = (error: TaskOverrun): MeshError => this.#tooMuch(error, param)
    return await this.#thread.run<Result>(work, { deadlineMs: this.#deadlineMs, overrun })
  }

  #tooMuch({ limit }: TaskOverrun, param: string): MeshError {
    const what = limit === 'time' ? `more than ${this.#deadlineMs} ms` : 'too much memory'
    return new MeshError('invalid_request', `${this.#name} took ${what} to read the prompt`, {
      hint: 'Send a shorter one; if short ones fail too, the model has a bad chat template or tokenizer.',
      details: { param }
    })
  }
}

/** Characters of all that becomes part of the prompt. */
function sizeOf(messages: readonly ChatMessage[], { tools, variables }: ChatTemplateOptions): number {
  const calls = messages.flatMap(({ toolCalls }) => toolCalls ?? [])
  const rest = [tools, variables, calls[0]].every(one => one === undefined)
    ? 0
    : JSON.stringify([calls, tools, variables]).length
  // every turn has a head
  return messages.reduce((sum, { content, reasoning = '' }) => sum + content.length + reasoning.length + 16, rest)
}

async function pathOf(sha256: string, store: BlobStore): Promise<string> {
  const path = await store.find(sha256)
  if (path !== undefined) return path
  throw new MeshError('blob_not_found', `blob ${sha256} is not in the store`, { hint: 'Import the model again.' })
}
