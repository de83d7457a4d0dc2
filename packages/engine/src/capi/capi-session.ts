import { MeshError } from '@resultity/interface'
import type { RunOptions, ShownStates, StageSession } from '../port.ts'
import type { SessionTurns } from '../session-turns.ts'
import type { StageShape } from '../stage-shape.ts'
import type { BoundRun, KvSlot } from './kv-slot.ts'
import type { SessionRow } from './session-row.ts'
import type { SessionStep } from './step-runner.ts'

export interface CapiSessionComponents {
  readonly shape: StageShape
  readonly turns: SessionTurns<SessionStep>
  /** Steps of this stage's sessions may be computed together. */
  readonly sharesSteps: boolean
  readonly row: SessionRow
  /** Prepares a step of the session that has `slot`. */
  warm(slot: KvSlot): void
  /** Called once, when the session is disposed: it counts no more. */
  vacate(): void
  /** Called once after that, when no run is this session's any more, and its row is given back. */
  release(session: CapiSession): void
}

/**
 * - `idle`    the cache holds `position` positions, a run may start
 * - `waiting` a run waits for its turn
 * - `running` it is a run's turn, alone or with those of others
 * - `failed`  a run broke off; the cache is unknown and no run will start again
 * - `closed`  disposed
 */
type State = 'idle' | 'waiting' | 'running' | 'failed' | 'closed'

interface PendingRun {
  /** The caller's, who leaves it as it is. */
  readonly input: Uint32Array | Float32Array
  readonly count: number
  readonly signal: AbortSignal | undefined
  readonly needLogits: boolean
  readonly shown: readonly ShownStates[] | undefined
  resolve(output: Float32Array): void
  reject(error: unknown): void
}

const NO_INPUT = new Uint32Array(0)
const NO_LOGITS = new Float32Array(0)

/** A session whose runs go straight to the C API. */
export class CapiSession implements StageSession, SessionStep {
  readonly #components: CapiSessionComponents
  readonly #positionsMax: number
  #state: State = 'idle'
  #position: number
  #pending: PendingRun | undefined
  /** In the runtime is a run of this session and no other: it can be told to stop. */
  #runsAlone = false

  constructor(components: CapiSessionComponents, positionsMax: number) {
    this.#components = components
    this.#positionsMax = positionsMax
    this.#position = components.row.keptPositions
  }

  get position(): number {
    return this.#position
  }

  run(input: Uint32Array | Float32Array, options: RunOptions = {}): Promise<Float32Array> {
    return new Promise((resolve, reject) => {
      const { signal, needLogits = true, shown } = options
      signal?.throwIfAborted()
      this.#requireIdle()
      const { shape, turns, sharesSteps, row } = this.#components
      const count = shape.admitInput(input, this.#position, this.#positionsMax)
      shape.admitShown(shown, count)
      this.#pending = { input, count, signal, needLogits, shown, resolve, reject }
      this.#state = 'waiting'
      signal?.addEventListener('abort', this.#onAbort, { once: true })
      if (count === 1 && sharesSteps && !row.isElsewhere) turns.enterStep(this, this.#position)
      else turns.enter(this.#start, this.#position)
    })
  }

  warm(): void {
    const { row, warm } = this.#components
    if (this.#state === 'idle' && row.slot !== undefined) warm(row.slot)
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
    this.#components.row.truncate(position)
    this.#moveTo(position)
  }

  leavePrefix(): void {
    this.#components.row.leavePrefix()
  }

  [Symbol.dispose](): void {
    if (this.#state === 'closed') return
    const state = this.#state
    this.#state = 'closed'
    this.#components.turns.end(this)
    this.#components.vacate()
    if (state === 'running') {
      // the runtime still writes to the slot: it goes back when the run is over
      this.#stop()
      return
    }
    if (state === 'waiting') {
      this.#withdraw()
      this.#settle()?.reject(closedError())
    }
    this.#release()
  }

  // what a turn of the queue does with its step

  begin(): KvSlot | undefined {
    this.#state = 'running'
    try {
      return this.#components.row.begin(this.#position)
    } catch (error) {
      this.#finish(MeshError.from(error, 'engine_failed'))
      return undefined
    }
  }

  get wanted(): boolean {
    return this.#state === 'running' && this.#pending?.signal?.aborted !== true
  }

  get input(): Uint32Array | Float32Array {
    return this.#pending?.input ?? NO_INPUT
  }

  runAlone(done: () => void): void {
    const { slot } = this.#components.row
    const pending = this.#pending
    if (slot === undefined || pending === undefined) {
      done()
      return
    }
    const { input, count, shown } = pending
    let bound: BoundRun
    try {
      bound = slot.bind(count)
    } catch (error) {
      this.#finish(MeshError.from(error, 'engine_failed'))
      done()
      return
    }
    bound.input.set(input)
    if (shown !== undefined && bound.shown !== undefined)
      this.#components.shape.placeShown(bound.input, shown, bound.shown)
    slot.setPosition(count)
    this.#runsAlone = true
    bound.binding.run(slot.runOptions, error => {
      this.#runsAlone = false
      slot.runOptions.allow()
      // the output of a run that broke off is that of an earlier one
      if (error !== undefined || !endsFinite(bound.output)) slot.damage()
      this.#finish(error, bound.output)
      done()
    })
  }

  computed(output: Float32Array): void {
    const { slot } = this.#components.row
    const own = slot?.stepOutput
    // others' steps are computed into the shared memory while this is read
    if (this.#pending?.needLogits === true || !this.#components.shape.last) own?.set(output)
    if (!endsFinite(output)) slot?.damage()
    this.#finish(undefined, own)
  }

  failed(error: MeshError): void {
    this.#finish(error)
  }

  dropped(): void {
    this.#finish(new MeshError('canceled', 'the run was called off'))
  }

  readonly #start = (): void => {
    const { turns, row } = this.#components
    const leave = (): void => turns.leave()
    this.#state = 'running'
    row.fill(() => {
      if (!this.wanted) {
        this.dropped()
        leave()
      } else if (this.begin() === undefined) leave()
      else this.runAlone(leave)
    })
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

  /** The run is over, or was called off. */
  #finish(error: MeshError | undefined, output?: Float32Array): void {
    const closed = this.#state === 'closed'
    const pending = this.#settle()
    if (closed) {
      pending?.reject(closedError())
      this.#release()
    } else if (pending?.signal?.aborted === true) {
      this.#state = 'failed'
      pending.reject(pending.signal.reason)
    } else if (error !== undefined || output === undefined) {
      this.#state = 'failed'
      pending?.reject(error)
    } else if (pending !== undefined) {
      this.#state = 'idle'
      this.#components.row.ran(this.#position, pending.count)
      this.#moveTo(this.#position + pending.count)
      pending.resolve(pending.needLogits || !this.#components.shape.last ? output : NO_LOGITS)
    }
    this.#components.turns.renew()
  }

  readonly #onAbort = (): void => {
    if (this.#state === 'running') {
      this.#stop()
    } else if (this.#state === 'waiting' && this.#withdraw()) {
      // nothing has touched the cache: the session stays usable
      this.#state = 'idle'
      const pending = this.#settle()
      pending?.reject(pending.signal?.reason)
    }
  }

  #stop(): void {
    if (this.#runsAlone) this.#components.row.slot?.runOptions.terminate()
  }

  #withdraw(): boolean {
    const { turns } = this.#components
    return turns.withdraw(this) || turns.withdraw(this.#start)
  }

  #moveTo(position: number): void {
    this.#position = position
    const { slot } = this.#components.row
    if (slot !== undefined) slot.position = position
  }

  #settle(): PendingRun | undefined {
    const pending = this.#pending
    this.#pending = undefined
    pending?.signal?.removeEventListener('abort', this.#onAbort)
    return pending
  }

  #release(): void {
    this.#components.row.release()
    this.#components.release(this)
  }
}

/** A value that is no number spreads from anywhere in the cache to all of the last position's outputs: one tells. */
function endsFinite(output: Float32Array): boolean {
  return Number.isFinite(output.at(-1))
}

function closedError(): MeshError {
  return new MeshError('unavailable', 'the session is closed')
}
