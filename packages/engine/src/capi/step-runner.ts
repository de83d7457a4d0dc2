import { planWindows, type RowWindow } from '../row-windows.ts'
import type { StageShape } from '../stage-shape.ts'
import { RunOptions } from './binding.ts'
import type { KvSlot } from './kv-slot.ts'
import type { Runtime } from './runtime.ts'
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
  /** Nobody waited for it any more: it has not been computed. */
  dropped(): void
}

/** A step whose turn it is, and the slot of its session. */
interface Begun {
  readonly step: SessionStep
  readonly slot: KvSlot
}

export interface StepRunnerInit {
  readonly runtime: Runtime
  readonly shape: StageShape
  readonly slots: SlotPool
  /** Numbers of one position's output. */
  readonly width: number
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
  /** Runs of several sessions are never told to stop. */
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
      if (slot !== undefined) begun.set(slot.row, { step, slot })
    }
    const { slots, shape } = this.#init
    const rows = [...begun.keys()].sort((a, b) => a - b)
    const windows = planWindows(rows, {
      alone: row => {
        const slot = begun.get(row)?.slot
        return slot?.attendsByGroups(slot.position + 1) ?? false
      },
      // and one that a session fills up in an earlier run of this turn has no step in a later one
      fills: row => !begun.has(row) && slots.positionOf(row) < shape.contextLength
    })
    this.#next(windows, begun)
  }

  /** Runs the first of `windows`, and then the others. */
  #next(windows: RowWindow[], begun: ReadonlyMap<number, Begun>): void {
    const window = windows.shift()
    if (window === undefined) {
      this.#init.leave()
      return
    }
    const members = this.#wantedOf(window, begun)
    const next = (): void => this.#next(windows, begun)
    const [only, second] = members
    if (only === undefined) next()
    else if (second === undefined) only.step.runAlone(next)
    else this.#runTogether(window, members, next)
  }

  #wantedOf({ first, end }: RowWindow, begun: ReadonlyMap<number, Begun>): Begun[] {
    const members: Begun[] = []
    for (let row = first; row < end; row++) {
      const member = begun.get(row)
      if (member === undefined) continue
      if (member.step.wanted) members.push(member)
      else member.step.dropped()
    }
    return members
  }

  #runTogether(window: RowWindow, members: readonly Begun[], next: () => void): void {
    const alone = (): void => this.#runEach([...members], next)
    let bound: BoundSteps
    try {
      bound = this.#bind(window, members)
    } catch {
      // what cannot be bound for all may be bound for each, or fail there
      alone()
      return
    }
    const { width } = this.#init
    bound.binding.run(this.#options, error => {
      if (error !== undefined) {
        alone()
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
    for (let row = first; row < end; row++) bound.positions.setHeads(row - first, slots.positionOf(row) + 1)
    for (const { step, slot } of members) {
      slot.stepTogether()
      bound.input.set(step.input, (slot.row - first) * shape.inputWidth)
    }
    return bound
  }

  #runEach(members: Begun[], next: () => void): void {
    const member = members.shift()
    if (member === undefined) next()
    else if (member.step.wanted) member.step.runAlone(() => this.#runEach(members, next))
    else {
      member.step.dropped()
      this.#runEach(members, next)
    }
  }

  [Symbol.dispose](): void {
    this.#options[Symbol.dispose]()
  }
}
