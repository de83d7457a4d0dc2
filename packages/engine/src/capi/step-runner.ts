import { MeshError } from '@resultity/interface'
import type { Runtime } from '@resultity/onnx-runtime'
import { RunOptions } from '@resultity/onnx-runtime'
import { planWindows, type RowWindow, windowOf } from '../row-windows.ts'
import type { StageShape } from '../stage-shape.ts'
import type { KvSlot } from './kv-slot.ts'
import type { SlotPool } from './slot-pool.ts'
import type { BoundSteps } from './step-bindings.ts'

/** The next position of one session. */
export interface SessionStep {
  /** Its turn has come: its session has a slot from now on. Undefined where that fails, and with it the step. */
  begin(): KvSlot | undefined
  /** Whether anybody still waits for it. */
  readonly wanted: boolean
  /** Values of the one position. */
  readonly input: Uint32Array | Float32Array
  /** Computes it by itself, and then calls `done`. Whether that failed is the session's affair. */
  runAlone(done: () => void): void
  /** It has been computed along with others, whose outputs are in `output` too: its own is copied. */
  computed(output: Float32Array): void
  /** It could not be computed. */
  failed(error: MeshError): void
  /** Nobody waited for it any more: it has not been computed. */
  dropped(): void
}

/** A step whose turn it is, and the slot of its session. */
interface Begun {
  readonly step: SessionStep
  readonly slot: KvSlot
  /** It attends by groups, which no batch does. */
  readonly alone: boolean
}

export interface StepRunnerInit {
  readonly runtime: Runtime
  readonly shape: StageShape
  readonly slots: SlotPool
  /** Numbers of one position's output. */
  readonly width: number
  /** Fewest rows of a run that several steps may share: see {@link planWindows}. */
  readonly widthMin: number
  /** All steps of the turn are over. */
  leave(): void
}

/**
 * Computes the steps of several sessions in as few runs as their rows allow: see {@link planWindows}. A session that is
 * closed or aborted meanwhile stops no run that others are in, and a run that fails is repeated for each of its sessions
 * alone, so that only those fail that fail by themselves.
 */
export class StepRunner implements Disposable {
  readonly #init: StepRunnerInit
  /** Runs of several rows are never told to stop. */
  readonly #options: RunOptions

  constructor(init: StepRunnerInit) {
    this.#init = init
    this.#options = new RunOptions(init.runtime)
  }

  /** One turn of the queue. */
  run(steps: readonly SessionStep[]): void {
    const begun = new Map<number, Begun>()
    for (const step of steps) {
      const slot = step.begin()
      if (slot !== undefined) begun.set(slot.row, { step, slot, alone: slot.attendsByGroups(slot.position + 1) })
    }
    const { widthMin, shape } = this.#init
    const windows = planWindows(
      [...begun.keys()].sort((a, b) => a - b),
      { rows: shape.sessionsMax, widthMin, alone: row => begun.get(row)?.alone ?? false }
    )
    this.#next(windows, begun)
  }

  /** Prepares what the step of a session takes if it is the only one. */
  warm(slot: KvSlot): void {
    const { slots, shape, widthMin } = this.#init
    if (widthMin === 1) slot.bind(1)
    else slots.bindSteps(windowOf(slot.row, { rows: shape.sessionsMax, widthMin }))
  }

  /** Runs the first of `windows`, and then the others. */
  #next(windows: RowWindow[], begun: Map<number, Begun>): void {
    const window = windows.shift()
    if (window === undefined) {
      this.#init.leave()
      return
    }
    const next = (): void => this.#next(windows, begun)
    const members = membersOf(window, begun)
    if (members.length > 1) this.#runTogether(window, members, next)
    else this.#runEach(members, next)
  }

  #runTogether(window: RowWindow, members: readonly Begun[], next: () => void): void {
    const { width } = this.#init
    const fail = (error: MeshError): void => {
      const [only, second] = members
      if (only === undefined || second !== undefined) {
        this.#runEach([...members], next)
        return
      }
      only.step.failed(error)
      next()
    }
    let bound: BoundSteps
    try {
      bound = this.#bind(window, members)
    } catch (error) {
      fail(MeshError.from(error, 'engine_failed'))
      return
    }
    bound.binding.run(this.#options, error => {
      if (error !== undefined) {
        // a step that is repeated may be called off before that
        for (const { slot } of members) slot.damage()
        fail(error)
        return
      }
      for (const { step, slot } of members) {
        const start = (slot.row - window.first) * width
        step.computed(bound.output.subarray(start, start + width))
      }
      next()
    })
  }

  #bind({ first, end }: RowWindow, members: readonly Begun[]): BoundSteps {
    const { slots, shape } = this.#init
    const bound = slots.bindSteps({ first, end })
    // what a row without a step computes lies behind its last position, until its next step writes over it
    bound.input.fill(0)
    for (let row = first; row < end; row++) bound.positions.setHeads(row - first, slots.stepTogether(row) + 1)
    for (const { step, slot } of members) {
      bound.input.set(step.input, (slot.row - first) * shape.inputWidth)
    }
    return bound
  }

  /** Each of `members` by itself, or with a row that nobody asked for where it takes two. */
  #runEach(members: Begun[], next: () => void): void {
    const member = members.shift()
    if (member === undefined) {
      next()
      return
    }
    const rest = (): void => this.#runEach(members, next)
    const { widthMin, shape } = this.#init
    if (!member.step.wanted) {
      member.step.dropped()
      rest()
    } else if (member.alone || widthMin === 1) member.step.runAlone(rest)
    else this.#runTogether(windowOf(member.slot.row, { rows: shape.sessionsMax, widthMin }), [member], rest)
  }

  [Symbol.dispose](): void {
    this.#options[Symbol.dispose]()
  }
}

/** Those whose steps are computed in `window`: they lie in it and are not over yet. Steps that nobody wants any more end here. */
function membersOf({ first, end }: RowWindow, begun: Map<number, Begun>): Begun[] {
  const members: Begun[] = []
  for (let row = first; row < end; row++) {
    const member = begun.get(row)
    // one that runs by itself has a window of its own
    if (member === undefined || (member.alone && end - first > 1)) continue
    begun.delete(row)
    if (member.step.wanted) members.push(member)
    else member.step.dropped()
  }
  return members
}
