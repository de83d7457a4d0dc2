import type { Runtime } from '@resultity/onnx-runtime'
import { RunOptions } from '@resultity/onnx-runtime'
import type { ProcessTuning } from '@resultity/runtime-tuning'
import { PREFIX_KEPT_MS } from '../cache-rows.ts'
import type { RunQueue } from '../run-queue.ts'
import type { BoundRun } from './kv-slot.ts'
import type { SlotPool } from './slot-pool.ts'
import type { SessionStep } from './step-runner.ts'

/** Without a session for so long a stage is idle: one request after the other shall find all memory where it was. */
const IDLE_MS = 1000
/** And for so long it is left alone, where nothing is kept: whoever comes now can wait some 20 ms for a new slot. */
const ALONE_MS = 60_000

export interface IdleMemoryInit {
  readonly runtime: Runtime
  readonly tuning: ProcessTuning
  readonly queue: RunQueue<SessionStep>
  readonly slots: SlotPool
  /** The weight files, as the system names their mappings. */
  readonly files: ReadonlySet<string>
}

/**
 * Gives memory back to the system once a stage is idle.
 *
 * With tuning: what the runtime's arena keeps for the activations of the next prompt, and the pages of files that
 * prompts have brought in. Always, when the stage is left alone: the KV slots, which may be far more: each has touched as
 * much of its cache as its longest session. Slots in which sessions have left the beginnings of prompts stay as long as those
 * may be used.
 */
export class IdleMemory implements AsyncDisposable {
  readonly #init: IdleMemoryInit
  /** The runtime shrinks its arena at the end of a run, and at no other time. */
  readonly #shrinking: RunOptions
  #idleTimer: NodeJS.Timeout | undefined
  #aloneTimer: NodeJS.Timeout | undefined
  /** It has been left alone, and no session has come since. */
  #leftAlone = false
  #disposed = false

  constructor(init: IdleMemoryInit) {
    this.#init = init
    this.#shrinking = new RunOptions(init.runtime, { 'memory.enable_memory_arena_shrinkage': 'cpu:0' })
  }

  /** The last session has ended. */
  sessionsEnded(): void {
    if (this.#disposed) return
    this.#callOff()
    const { queue, slots, tuning } = this.#init
    const shed = (): void => (tuning.shrinksArena ? queue.enter(this.#shrink, 'batch') : void this.#release())
    this.#idleTimer = setTimeout(shed, IDLE_MS).unref()
    const empty = (): void => {
      this.#leftAlone = true
      slots.empty()
    }
    this.#aloneTimer = setTimeout(empty, slots.keeps ? PREFIX_KEPT_MS : ALONE_MS).unref()
  }

  sessionOpened(): void {
    this.#callOff()
  }

  /** The stage is not idle any more, or not yet. What has begun goes on. */
  #callOff(): void {
    clearTimeout(this.#idleTimer)
    clearTimeout(this.#aloneTimer)
    this.#leftAlone = false
    this.#init.queue.withdraw(this.#shrink)
  }

  /** Computes one position of a session that nobody has, for what comes after it. */
  readonly #shrink = (): void => {
    const { slots } = this.#init
    const slot = slots.borrow()
    if (slot === undefined) {
      this.#end()
      return
    }
    const finish = (): void => {
      slots.giveBack()
      this.#end()
    }
    let bound: BoundRun
    try {
      bound = slot.bind(1)
    } catch {
      // nobody waits for this position, and the memory is given back another time
      finish()
      return
    }
    // an earlier session may have left what is no number
    bound.input.fill(0)
    slot.setPosition(1)
    bound.binding.run(this.#shrinking, error => {
      if (error !== undefined) slot.damage()
      finish()
    })
  }

  #end(): void {
    const { queue, slots } = this.#init
    queue.leave()
    // its own slot was in use when the time came
    if (this.#leftAlone) slots.empty()
    void this.#release()
  }

  async #release(): Promise<void> {
    const { tuning, files } = this.#init
    await tuning.releaseFilePages(files, () => !this.#disposed)
    await tuning.releaseFreedMemory()
  }

  /** Gives nothing back from now on, and waits until no run is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true
    this.#callOff()
    await this.#init.queue.idle()
    this.#shrinking[Symbol.dispose]()
  }
}
