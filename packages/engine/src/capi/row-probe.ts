import { createHash } from 'node:crypto'
import { RunOptions } from '@resultity/onnx-runtime'
import { WINDOW_ROWS_MAX } from '../row-windows.ts'
import type { KvSlot, SlotComponents } from './kv-slot.ts'
import type { SlotPool } from './slot-pool.ts'

/** The second attends to the first. */
const STEPS = 2

/**
 * Whether rows of a batch have the bits that they have in another, which depends on the processor, its kernels and the
 * encoding of the weights: 4 bit on AVX2 without VNNI gives other bits for one row than for two or more. Every number of
 * rows that a run of this stage may have is tried.
 *
 * @returns fewest rows of a run of which all wider ones give the same: 1 or 2; undefined where there is no such, and steps
 *   can only run alone. With experts it is not 2: each multiplies by the rows that took it, and in the widest run that may be one
 */
export async function probeRows(components: SlotComponents, slots: SlotPool): Promise<1 | 2 | undefined> {
  const most = Math.min(components.shape.sessionsMax, WINDOW_ROWS_MAX)
  using probe = new RowProbe(components, slots, most)
  const two = await probe.together(2)
  const agree = (rows: readonly string[]): boolean => rows.every(row => row === two[0])
  if (!agree(two)) return undefined
  for (let width = 3; width <= most; width++) {
    if (!agree(await probe.together(width))) return undefined
  }
  if (agree(await probe.alone())) return 1
  return components.config.traits?.experts === undefined ? 2 : undefined
}

/** Steps of sessions that nobody has, all with the same input. */
class RowProbe implements Disposable {
  readonly #pool: SlotPool
  readonly #slots: readonly KvSlot[]
  readonly #options: RunOptions
  readonly #taken: DisposableStack
  readonly #input: Int32Array | Float32Array

  constructor(components: SlotComponents, pool: SlotPool, rows: number) {
    this.#pool = pool
    using taking = new DisposableStack()
    this.#options = taking.use(new RunOptions(components.runtime))
    pool.admit()
    taking.defer(() => {
      pool.vacate()
      pool.empty()
    })
    this.#slots = Array.from({ length: rows }, () => taking.adopt(pool.take(), slot => pool.give(slot)))
    this.#taken = taking.move()
    const { shape } = components
    this.#input = shape.newInput(1)
    for (const index of this.#input.keys()) {
      this.#input[index] = shape.first ? shape.vocabularySize - 1 : Math.sin(1 + 7 * index)
    }
  }

  /** What each of so many rows gives in one run. */
  async together(width: number): Promise<string[]> {
    const rows = Array.from({ length: width }, () => '')
    const bound = this.#pool.bindSteps({ first: 0, end: width })
    for (let step = 0; step < STEPS; step++) {
      for (let row = 0; row < width; row++) {
        bound.input.set(this.#input, row * this.#input.length)
        bound.positions.setHeads(row, step + 1)
      }
      await new Promise<void>((resolve, reject) =>
        bound.binding.run(this.#options, error => (error === undefined ? resolve() : reject(error)))
      )
      const length = bound.output.length / width
      for (let row = 0; row < width; row++) {
        rows[row] += bitsOf(bound.output.subarray(row * length, (row + 1) * length))
      }
    }
    return rows
  }

  /** What a row gives by itself. */
  async alone(): Promise<string[]> {
    const [slot] = this.#slots
    if (slot === undefined) return []
    let bits = ''
    for (let step = 0; step < STEPS; step++) {
      slot.position = step
      const { binding, input, output } = slot.bind(1)
      input.set(this.#input)
      slot.setPosition(1)
      await new Promise<void>((resolve, reject) =>
        binding.run(this.#options, error => (error === undefined ? resolve() : reject(error)))
      )
      bits += bitsOf(output)
    }
    return [bits]
  }

  [Symbol.dispose](): void {
    this.#taken.dispose()
  }
}

function bitsOf(values: Float32Array): string {
  return createHash('sha256').update(values).digest('hex')
}
