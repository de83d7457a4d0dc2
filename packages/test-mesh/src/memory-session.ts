import type { RunOptions, SessionTurns, StageInit, StageSession, StageShape } from '@resultity/engine'
import { type AbortOptions, MeshError } from '@resultity/interface'
import { embed, type LayerMemory, logitsOf, readHidden, throughLayer, writeHidden } from './memory-model.ts'
import type { MemoryRow } from './memory-rows.ts'

export interface MemorySessionComponents {
  readonly shape: StageShape
  readonly turns: SessionTurns
  readonly row: MemoryRow
  /** Takes as long as a run of so many positions. @throws the reason of the signal */
  work(positions: number, options: AbortOptions): Promise<void>
  /** Called once. */
  onDisposed(session: StageSession): void
}

export interface MemorySessionInit {
  readonly stage: StageInit
  readonly positionsMax: number
}

/**
 * - `idle`     the next run may come
 * - `running`  a run waits for its turn, or is at work
 * - `broken`   a run broke off: what the layers remember is unknown
 * - `disposed` nothing more may come
 */
type SessionState = 'idle' | 'running' | 'broken' | 'disposed'

/** What one generation has left in the layers of one stage. */
export class MemorySession implements StageSession {
  readonly #components: MemorySessionComponents
  readonly #init: MemorySessionInit
  readonly #closing = new AbortController()
  #state: SessionState = 'idle'
  #position: number

  constructor(components: MemorySessionComponents, init: MemorySessionInit) {
    this.#components = components
    this.#init = init
    this.#position = components.row.keptPositions
  }

  get position(): number {
    return this.#position
  }

  async run(input: Uint32Array | Float32Array, options: RunOptions = {}): Promise<Float32Array> {
    this.#admit()
    options.signal?.throwIfAborted()
    const { shape } = this.#components
    const count = shape.admitInput(input, this.#position, this.#init.positionsMax)
    // the caller's again when this returns
    const own = input.slice()
    this.#state = 'running'
    try {
      await this.#turn(count, options.signal)
    } catch (error) {
      if (this.#is('running')) this.#state = 'broken'
      throw error
    }
    if (this.#is('disposed')) throw new MeshError('unavailable', 'the session is closed')
    this.#state = 'idle'
    const { row } = this.#components
    const layers = row.layers(this.#position)
    const states = Array.from({ length: count }, (_, index) => this.#through(own, index, layers))
    row.ran(this.#position, count)
    this.#position += count
    return this.#output(states, options.needLogits ?? true)
  }

  truncate(position: number): void {
    this.#admit()
    if (!Number.isInteger(position) || position < 0 || position > this.#position) {
      throw new MeshError('invalid_request', `there is no position ${position} among ${this.#position}`)
    }
    this.#position = position
    this.#components.row.truncate(position)
  }

  leavePrefix(): void {
    this.#components.row.leavePrefix()
  }

  [Symbol.dispose](): void {
    if (this.#state === 'disposed') return
    this.#state = 'disposed'
    this.#closing.abort(new MeshError('unavailable', 'the session is closed'))
    this.#components.row.release()
    this.#components.onDisposed(this)
  }

  #is(state: SessionState): boolean {
    return this.#state === state
  }

  #admit(): void {
    if (this.#state === 'disposed') throw new MeshError('unavailable', 'the session is closed')
    if (this.#state === 'broken') throw new MeshError('engine_failed', 'a run of this session broke off')
    if (this.#state === 'running') throw new MeshError('invalid_request', 'a run of this session is under way')
  }

  /** Waits for the session's turn, and takes as long as the run. */
  async #turn(count: number, given: AbortSignal | undefined): Promise<void> {
    const { turns, work } = this.#components
    const signal = given === undefined ? this.#closing.signal : AbortSignal.any([given, this.#closing.signal])
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = (): void => {
      if (turns.withdraw(resolve)) reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    turns.enter(resolve, this.#position)
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
    try {
      await work(count, { signal })
    } finally {
      turns.leave()
    }
  }

  #through(input: Uint32Array | Float32Array, index: number, layers: readonly LayerMemory[]): number {
    const { manifest, range } = this.#init.stage
    const { hiddenSize } = this.#components.shape
    let state =
      input instanceof Uint32Array
        ? embed(manifest, input[index] ?? 0)
        : readHidden(input.subarray(index * hiddenSize, (index + 1) * hiddenSize))
    for (const [offset, file] of manifest.layers.slice(range.first, range.end).entries()) {
      state = throughLayer(file, layers[offset] ?? [], state)
    }
    return state
  }

  #output(states: readonly number[], needLogits: boolean): Float32Array {
    const { shape } = this.#components
    const { stage } = this.#init
    if (shape.last && !needLogits) return new Float32Array(0)
    const rows = shape.last && stage.logits !== 'all' ? states.slice(-1) : states
    const width = shape.last ? shape.vocabularySize : shape.hiddenSize
    const output = new Float32Array(rows.length * width)
    for (const [row, state] of rows.entries()) {
      const values = output.subarray(row * width, (row + 1) * width)
      if (shape.last) logitsOf(stage.manifest, state, values)
      else writeHidden(state, values)
    }
    return output
  }
}
