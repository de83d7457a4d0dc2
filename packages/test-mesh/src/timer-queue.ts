import type { VirtualTimer } from './virtual-timer.ts'

export interface QueuedTimer {
  readonly dueMs: number
  /** Of two that are due at once the one that was queued first goes first. */
  readonly order: number
  readonly timer: VirtualTimer
  readonly version: number
}

/** A binary heap: the earliest first. */
export class TimerQueue {
  readonly #heap: QueuedTimer[] = []

  get size(): number {
    return this.#heap.length
  }

  peek(): QueuedTimer | undefined {
    return this.#heap[0]
  }

  push(entry: QueuedTimer): void {
    const heap = this.#heap
    let at = heap.push(entry) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  pop(): QueuedTimer | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    heap[0] = last
    let at = 0
    for (;;) {
      let least = at
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && this.#isBefore(child, least)) least = child
      }
      if (least === at) return first
      this.#swap(at, least)
      at = least
    }
  }

  #isBefore(one: number, other: number): boolean {
    const a = this.#heap[one]
    const b = this.#heap[other]
    if (a === undefined || b === undefined) return false
    return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order)
  }

  #swap(one: number, other: number): void {
    const a = this.#heap[one]
    const b = this.#heap[other]
    if (a === undefined || b === undefined) return
    this.#heap[one] = b
    this.#heap[other] = a
  }
}
