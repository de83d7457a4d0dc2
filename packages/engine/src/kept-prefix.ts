import type { PrefixInit } from './port.ts'

/**
 * Which blocks of a prompt a row of a stage's cache holds, as a cold run would have left them there: each was computed by one run
 * of exactly its positions, behind all blocks before it. Positions that steps made do not count.
 */
export class KeptPrefix {
  readonly #init: PrefixInit
  #count: number
  /** Its session has run since it began with what was kept: what is counted will not be written again. */
  #settled = false

  /** @param count blocks that are there already */
  constructor(init: PrefixInit, count = 0) {
    this.#init = init
    this.#count = count
  }

  get scope(): string {
    return this.#init.scope
  }

  /** Blocks. */
  get count(): number {
    return this.#count
  }

  get settled(): boolean {
    return this.#settled
  }

  /** Positions of its blocks. */
  positions(): number {
    return this.#count * this.#init.blockPositions
  }

  /** A run of `count` positions from `position` on is over, and gave numbers. */
  ran(position: number, count: number): void {
    this.#settled = true
    const { blocks, blockPositions } = this.#init
    if (position === this.positions() && count === blockPositions && this.#count < blocks.length) this.#count++
  }

  /** Positions from `position` on are forgotten. */
  truncated(position: number): void {
    this.#count = Math.min(this.#count, Math.floor(position / this.#init.blockPositions))
  }

  /** Blocks from the first on that a session of `wanted` begins with too. */
  inCommon(wanted: PrefixInit): number {
    const { scope, blockPositions, blocks } = this.#init
    if (scope !== wanted.scope || blockPositions !== wanted.blockPositions) return 0
    let common = 0
    while (common < this.#count && blocks[common] === wanted.blocks[common]) common++
    return common
  }
}
