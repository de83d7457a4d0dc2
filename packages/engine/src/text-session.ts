import { MeshError, type WorkOptions } from '@resultity/interface'
import type { CallTurns } from './call-turns.ts'
import type { SpeechRunOptions, SpeechSession } from './port.ts'
import type { TextRun, TextRunResult, TextShape, TextState } from './text-state.ts'

export interface TextSessionInit {
  readonly config: Pick<TextShape, 'vocabularySize' | 'textContext'>
  readonly turns: CallTurns
  readonly state: TextState
  /** Called once, when the session is disposed. */
  release(): void
}

/**
 * - `idle`    a run may start
 * - `running` a run waits for its turn, or has it
 * - `closed`  disposed
 */
type State = 'idle' | 'running' | 'closed'

/** A text of a window or a picture, whose runs take turns with those of all others. */
export class TextSession implements SpeechSession {
  readonly #init: TextSessionInit
  readonly #closing = new AbortController()
  #state: State = 'idle'
  #position = 0

  constructor(init: TextSessionInit) {
    this.#init = init
  }

  get position(): number {
    return this.#position
  }

  async run(tokens: readonly number[], options: SpeechRunOptions = {}): Promise<Float32Array> {
    const { logits = 'last' } = options
    const firstRow = logits === 'last' ? tokens.length - 1 : 0
    const run = { tokens, position: this.#position, firstRow, needLooks: false }
    return (await this.#take(run, options)).logits
  }

  truncate(position: number): void {
    this.#requireIdle()
    if (!Number.isSafeInteger(position) || position < 0 || position > this.#position) {
      throw invalid(`cannot truncate to position ${position}, the session has ${this.#position}`, 'position')
    }
    this.#position = position
  }

  async align(tokens: readonly number[], options: WorkOptions = {}): Promise<Float32Array> {
    const run = { tokens, position: 0, firstRow: tokens.length - 1, needLooks: true }
    return (await this.#take(run, options)).looks
  }

  [Symbol.dispose](): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#closing.abort(closedError())
    this.#init.state[Symbol.dispose]()
    this.#init.release()
  }

  async #take(run: TextRun, options: WorkOptions): Promise<TextRunResult> {
    options.signal?.throwIfAborted()
    this.#requireIdle()
    this.#admit(run)
    const { turns, state } = this.#init
    const signal = AbortSignal.any([turns.signalOf(options), this.#closing.signal])
    this.#state = 'running'
    try {
      const result = await turns.take(() => state.run(run, { signal }), signal, options.workClass)
      // one that is no number makes all of them such
      if (!Number.isFinite(result.logits.at(-1))) throw noNumbers()
      this.#position = run.position + run.tokens.length
      return result
    } catch (error) {
      // an alignment that fails has written over what was there
      this.#position = Math.min(this.#position, run.position)
      if (!this.#isClosed()) state.wipe(this.#position)
      throw error
    } finally {
      if (!this.#isClosed()) this.#state = 'idle'
    }
  }

  // a method, since the compiler takes a state that was compared for settled, whatever happens while a run is awaited
  #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #requireIdle(): void {
    if (this.#state === 'closed') throw closedError()
    if (this.#state === 'running') throw invalid('the session is running; await that run first')
  }

  #admit({ tokens, position }: TextRun): void {
    const { vocabularySize, textContext } = this.#init.config
    if (tokens.length === 0) throw invalid('a run needs a token', 'tokens')
    if (position + tokens.length > textContext) {
      const message = `${tokens.length} tokens behind ${position} are more than the text context of ${textContext}`
      throw new MeshError('context_length_exceeded', message, { details: { param: 'tokens' } })
    }
    const wrong = tokens.find(token => !Number.isInteger(token) || token < 0 || token >= vocabularySize)
    if (wrong !== undefined) throw invalid(`there is no token ${wrong}, the vocabulary has ${vocabularySize}`, 'tokens')
  }
}

function invalid(message: string, param?: string): MeshError {
  return new MeshError('invalid_request', message, param === undefined ? {} : { details: { param } })
}

function closedError(): MeshError {
  return new MeshError('unavailable', 'the session is closed')
}

function noNumbers(): MeshError {
  return new MeshError('engine_failed', 'the model gave logits that are no numbers', {
    hint: 'its weights may be damaged; import the model again'
  })
}
