import {
  type AbortOptions,
  type BlobStore,
  type DiffusionManifest,
  MeshError,
  PROMPT_CHUNKS_MAX,
  type Scheduler,
  type TaskOverrun,
  TaskThread
} from '@resultity/interface'
import { type ClipTokenizer, loadClipTokenizers } from './clip-tokenizer.ts'
import type { PicturePromptThreadInit, PicturePromptWork } from './picture-prompt-messages.ts'
import { encodePicturePrompts, type PicturePrompts, type PromptTexts } from './picture-prompts.ts'

/** Texts of more characters go to the thread: a word without an end takes 6 µs for a letter, of each text encoder. */
const INLINE_CHARACTERS_MAX = 1024

/** Prompts that may wait for the thread. */
const WAITING_MAX = 256

const IDLE_MS = 60_000

/** The longest prompts take a few tenths of a second. */
const DEADLINE_MS = 20_000

export interface PicturePromptOptions extends AbortOptions {
  /** Measures deadlines. Default: the machine's time. */
  readonly scheduler?: Scheduler
}

/**
 * Makes tokens of what pictures are asked for with: of short texts at once, of others in a thread, as {@link PromptEncoder} does.
 * The thread starts with its first prompt, and ends when idle.
 */
export class PicturePromptEncoder implements AsyncDisposable {
  readonly #name: string
  readonly #tokenizers: readonly ClipTokenizer[]
  readonly #chunksMax: number
  readonly #thread: TaskThread

  private constructor(
    { name, config }: Pick<DiffusionManifest, 'name' | 'config'>,
    tokenizers: readonly ClipTokenizer[],
    workerData: PicturePromptThreadInit,
    { scheduler }: PicturePromptOptions
  ) {
    this.#name = name
    this.#tokenizers = tokenizers
    // a prior reads one chunk
    this.#chunksMax = config.prior === undefined ? PROMPT_CHUNKS_MAX : 1
    this.#thread = new TaskThread({
      url: new URL('./picture-prompt-worker.js', import.meta.url),
      workerData,
      tasksMax: WAITING_MAX,
      idleMs: IDLE_MS,
      tasks: 'long prompts of pictures',
      ...(scheduler === undefined ? {} : { scheduler })
    })
  }

  /** @throws MeshError `blob_not_found`, `model_invalid` */
  static async open(
    manifest: Pick<DiffusionManifest, 'name' | 'tokenizers' | 'config'>,
    store: BlobStore,
    options: PicturePromptOptions = {}
  ): Promise<PicturePromptEncoder> {
    const tokenizers = await loadClipTokenizers(manifest, store, options)
    const encoders = await Promise.all(
      manifest.config.textEncoders.map(async (tokens, index) => {
        const files = manifest.tokenizers[index]
        return {
          vocabularyPath: await pathOf(files?.vocabulary.sha256, store),
          mergesPath: await pathOf(files?.merges.sha256, store),
          tokens
        }
      })
    )
    return new PicturePromptEncoder(manifest, tokenizers, { encoders }, options)
  }

  /**
   * As {@link encodePicturePrompts}, of as many chunks as the model takes.
   * @throws also MeshError `resource_exhausted`; `invalid_request` for texts that take too long
   */
  async encode(texts: PromptTexts): Promise<PicturePrompts> {
    const chunksMax = this.#chunksMax
    if (texts.prompt.length + texts.negative.length <= INLINE_CHARACTERS_MAX) {
      return encodePicturePrompts(this.#tokenizers, texts, { chunksMax })
    }
    const work: PicturePromptWork = { texts, chunksMax }
    const overrun = ({ limit }: TaskOverrun): MeshError => {
      const what = limit === 'time' ? `more than ${DEADLINE_MS} ms` : 'too much memory'
      return new MeshError('invalid_request', `${this.#name} took ${what} to read the prompt`, {
        hint: 'Send a shorter one.',
        details: { param: 'prompt' }
      })
    }
    return await this.#thread.run<PicturePrompts>(work, { deadlineMs: DEADLINE_MS, overrun })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread[Symbol.asyncDispose]()
  }
}

async function pathOf(sha256: string | undefined, store: BlobStore): Promise<string> {
  const path = sha256 === undefined ? undefined : await store.find(sha256)
  if (path !== undefined) return path
  throw new MeshError('blob_not_found', `blob ${sha256} is not in the store`, { hint: 'Import the model again.' })
}
