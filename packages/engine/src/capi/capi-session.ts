import { MeshError } from '@resultity/interface'
import type { RunOptions, StageSession } from '../port.ts'
import type { SessionTurns } from '../session-turns.ts'
import type { StageShape } from '../stage-shape.ts'
import type { BoundRun, KvSlot } from './kv-slot.ts'

export interface CapiSessionComponents {
  readonly shape: StageShape
  readonly turns: SessionTurns
  readonly slot: KvSlot
  /** Called once, when the session is disposed: it counts no more. */
  vacate(): void
  /** Called once after that, when nothing uses the slot any more. */
  release(session: CapiSession): void
}

/**
 * - `idle`    the cache holds `position` positions, a run may start
 * - `waiting` a run waits for its turn
 * - `running` a run is in the runtime
 * - `failed`  a run broke off; the cache is unknown and no run will start again
 * - `closed`  disposed
 */
type State = 'idle' | 'waiting' | 'running' | 'failed' | 'closed'

interface PendingRun {
  readonly bound: BoundRun
  readonly count: number
  readonly signal: AbortSignal | undefined
  readonly needLogits: boolean
  resolve(output: Float32Array): void
  reject(error: unknown): void
}

const NO_LOGITS = new Float32Array(0)

/** A session whose runs go straight to the C API. */
export class CapiSession implements StageSession {
  readonly #components: CapiSessionComponents
  readonly #positionsMax: number
  #state: State = 'idle'
  #position = 0
  #pending: PendingRun | undefined

  constructor(components: CapiSessionComponents, positionsMax: number) {
    this.#components = components
    this.#positionsMax = positionsMax
  }

  get position(): number {
    return this.#position
  }

  run(input: Uint32Array | Float32Array, options: RunOptions = {}): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      const { signal, needLogits = true } = options
      signal?.throwIfAborted()
      this.#requireIdle()
      const { shape, slot, turns } = this.#components
      const count = shape.admitInput(input, this.#position, this.#positionsMax)
      const bound = slot.bind(count)
      bound.input.set(input)
      this.#pending = { bound, count, signal, needLogits, resolve, reject }
      this.#state = 'waiting'
      signal?.addEventListener('abort', this.#onAbort, { once: true })
      turns.enter(this.#start, this.#position)
    })
  }

  warm(): void {
    if (this.#state === 'idle') this.#components.slot.bind(1)
  }

  truncate(position: number): void {
    this.#requireIdle()
    if (!Number.isSafeInteger(position) || position < 0 || position > this.#position) {
      throw new MeshError(
        'invalid_request',
        `cannot truncate to position ${position}, the session has ${this.#position}`,
        { details: { param: 'position' } }
      )
    }
    // later positions stay in the cache until they are overwritten; the graph reads none beyond its total
    this.#position = position
  }

  [Symbol.dispose](): void {
    if (this.#state === 'closed') return
    const state = this.#state
    this.#state = 'closed'
    this.#components.turns[Symbol.dispose]()
    this.#components.vacate()
    if (state === 'running') {
      // the runtime still writes to the slot: it goes back when the run has broken off
      this.#components.slot.runOptions.terminate()
      return
    }
    if (state === 'waiting') {
      this.#components.turns.withdraw(this.#start)
      this.#settle()?.reject(closedError())
    }
    this.#components.release(this)
  }

  #requireIdle(): void {
    switch (this.#state) {
      case 'idle':
        return
      case 'waiting':
      case 'running':
        throw new MeshError('invalid_request', 'the session is running; await that run first')
      case 'failed':
        throw new MeshError('engine_failed', 'an earlier run of this session broke off, its cache is unknown', {
          hint: 'open a new session and replay the positions'
        })
      case 'closed':
        throw closedError()
    }
  }

  readonly #start = (): void => {
    const pending = this.#pending
    if (pending === undefined) return
    this.#state = 'running'
    const { slot } = this.#components
    // not before: a run that is withdrawn while it waits has put nothing into the cache
    slot.setPosition(pending.count, this.#position + pending.count)
    pending.bound.binding.run(slot.runOptions, this.#finish)
  }

  readonly #finish = (error: MeshError | undefined): void => {
    const closed = this.#state === 'closed'
    const pending = this.#settle()
    if (error !== undefined || !endsFinite(pending?.bound.output)) this.#components.slot.damaged = true
    if (closed) {
      pending?.reject(closedError())
      this.#components.release(this)
    } else if (error !== undefined) {
      this.#state = 'failed'
      pending?.reject(pending.signal?.aborted === true ? pending.signal.reason : error)
    } else if (pending !== undefined) {
      this.#state = 'idle'
      this.#position += pending.count
      pending.resolve(pending.needLogits || !this.#components.shape.last ? pending.bound.output : NO_LOGITS)
    }
    this.#components.turns.leave()
  }

  readonly #onAbort = (): void => {
    if (this.#state === 'running') {
      this.#components.slot.runOptions.terminate()
    } else if (this.#state === 'waiting' && this.#components.turns.withdraw(this.#start)) {
      // nothing has touched the cache: the session stays usable
      this.#state = 'idle'
      const pending = this.#settle()
      pending?.reject(pending.signal?.reason)
    }
  }

  #settle(): PendingRun | undefined {
    const pending = this.#pending
    this.#pending = undefined
    pending?.signal?.removeEventListener('abort', this.#onAbort)
    return pending
  }
}

/** A value that is no number spreads from anywhere in the cache to all of the last position's outputs: one tells. */
function endsFinite(output: Float32Array | undefined): boolean {
  return Number.isFinite(output?.at(-1))
}

function closedError(): MeshError {
  return new MeshError('unavailable', 'the session is closed')
}
