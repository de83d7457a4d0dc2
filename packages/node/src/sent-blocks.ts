import type { PrefixInit } from '@resultity/engine'

/** Which blocks of a prompt sessions have in common, as the engine is told. */
export type SentPrefix = Pick<PrefixInit, 'blockPositions' | 'blocks' | 'scope'>

/** As long as an engine keeps what it has computed of a block that nobody uses. */
const KEPT_MS = 10 * 60_000

/** Beside the values of a block: its objects. */
const BLOCK_BYTES = 512

interface SentBlock {
  readonly scope: string
  readonly hidden: Uint8Array
  usedMs: number
}

/**
 * What was sent of blocks of prompts, by the names under which engines keep them: a session that begins with such blocks does not
 * compute them, and may have to send them all the same.
 */
export class SentBlocks {
  /** Those that were used the longest ago before others. */
  readonly #blocks = new Map<string, SentBlock>()
  readonly #now: () => number
  #bytes = 0

  /** @param now milliseconds, monotonic */
  constructor(now: () => number) {
    this.#now = now
  }

  get bytes(): number {
    return this.#bytes
  }

  /** What was sent of the first `count` blocks; undefined where not all of it is here. */
  first(prefix: SentPrefix, count: number): readonly Uint8Array[] | undefined {
    const found: Uint8Array[] = []
    for (const name of prefix.blocks.slice(0, count)) {
      const hidden = this.#use(keyOf(prefix, name))
      if (hidden === undefined) return undefined
      found.push(hidden)
    }
    return found.length === count ? found : undefined
  }

  /** @returns bytes that it takes to {@link put} it; 0 where it is here */
  bytesToPut(prefix: SentPrefix, name: string, hidden: Uint8Array): number {
    return this.#use(keyOf(prefix, name)) === undefined ? hidden.byteLength + BLOCK_BYTES : 0
  }

  put(prefix: SentPrefix, name: string, hidden: Uint8Array): void {
    const key = keyOf(prefix, name)
    this.#drop(key)
    this.#blocks.set(key, { scope: prefix.scope, hidden, usedMs: this.#now() })
    this.#bytes += hidden.byteLength + BLOCK_BYTES
  }

  /** Drops what was used the longest ago. @returns false when there is nothing */
  evict(): boolean {
    const [oldest] = this.#blocks.keys()
    return oldest !== undefined && this.#drop(oldest)
  }

  /** Drops what nobody has used for long. */
  expire(): void {
    const before = this.#now() - KEPT_MS
    for (const [key, { usedMs }] of this.#blocks) if (usedMs < before) this.#drop(key)
  }

  /** Drops all of a scope. */
  forget(scope: string): void {
    for (const [key, block] of this.#blocks) if (block.scope === scope) this.#drop(key)
  }

  #use(key: string): Uint8Array | undefined {
    const block = this.#blocks.get(key)
    if (block === undefined) return undefined
    block.usedMs = this.#now()
    this.#blocks.delete(key)
    this.#blocks.set(key, block)
    return block.hidden
  }

  #drop(key: string): boolean {
    const block = this.#blocks.get(key)
    if (block === undefined) return false
    this.#blocks.delete(key)
    this.#bytes -= block.hidden.byteLength + BLOCK_BYTES
    return true
  }
}

function keyOf({ scope }: SentPrefix, name: string): string {
  return `${scope} ${name}`
}
