import { SentBlocks, type SentPrefix } from './sent-blocks.ts'

/** What a stage sent to the next one in one frame. */
export interface SentStates {
  readonly position: number
  readonly count: number
  /** `[count, hiddenSize]` f32, little endian. */
  readonly hidden: Uint8Array
}

/** Beside the values of an entry: its objects. */
const ENTRY_BYTES = 256

/** One session may use this part of the node's memory for logs. */
const SESSION_SHARE = 1 / 4

/**
 * The memory of a node for what its sessions have sent. A log that finds no room gives up all that it has: the answer's next
 * route then computes it again. Blocks of prompts that no session has any more go before that.
 */
export class SentLogs {
  readonly #bytesMax: number
  readonly #blocks: SentBlocks
  /** Of logs. */
  #bytes = 0

  /**
   * @param bytesMax for all sessions together, of which one takes at most a quarter; 0: nothing is kept
   * @param now milliseconds, monotonic
   */
  constructor(bytesMax: number, now: () => number = () => 0) {
    this.#bytesMax = bytesMax
    this.#blocks = new SentBlocks(now)
  }

  /** Memory that logs of sessions take. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * A log of one session. Dispose it with the session.
   * @param prefix what the session may begin with, and leave
   */
  open(prefix?: SentPrefix): SentLog {
    return new SentLog(this.#memory, prefix)
  }

  /** Drops what nobody has used for long. */
  expire(): void {
    this.#blocks.expire()
  }

  /** Nothing that sessions of this scope have left is used any more. */
  forget(scope: string): void {
    this.#blocks.forget(scope)
  }

  readonly #memory: LogMemory = {
    take: bytes => {
      if (!this.#hasRoom(bytes)) return false
      this.#bytes += bytes
      return true
    },
    give: bytes => {
      this.#bytes -= bytes
    },
    fits: bytes => bytes <= this.#bytesMax * SESSION_SHARE,
    first: (prefix, count) => this.#blocks.first(prefix, count),
    leave: (prefix, name, hidden) => {
      if (this.#hasRoom(this.#blocks.bytesToPut(prefix, name, hidden))) this.#blocks.put(prefix, name, hidden)
    }
  }

  /** Makes room, if it can. */
  #hasRoom(bytes: number): boolean {
    while (this.#bytes + this.#blocks.bytes + bytes > this.#bytesMax) if (!this.#blocks.evict()) return false
    return true
  }
}

interface LogMemory {
  /** @returns false where there is not as much */
  take(bytes: number): boolean
  give(bytes: number): void
  /** Whether one log may have so much. */
  fits(bytes: number): boolean
  /** What was sent of the first blocks of a prompt; undefined where that is not all here. */
  first(prefix: SentPrefix, count: number): readonly Uint8Array[] | undefined
  /** Keeps a block for sessions that begin with it. */
  leave(prefix: SentPrefix, name: string, hidden: Uint8Array): void
}

/**
 * The hidden states that one session's stage gave to the next, frame by frame: where the next stage is lost, another can be given
 * the same, in steps of the same lengths.
 */
export class SentLog implements Disposable {
  readonly #memory: LogMemory
  readonly #prefix: SentPrefix | undefined
  #entries: SentStates[] = []
  #bytes = 0
  #full = false

  constructor(memory: LogMemory, prefix?: SentPrefix) {
    this.#memory = memory
    this.#prefix = prefix
  }

  /**
   * From which position on everything up to `end` is here; `end` where nothing is.
   * @param end behind the last position that was computed
   */
  from(end: number): number {
    const last = this.#entries.at(-1)
    return last !== undefined && endOf(last) === end ? (this.#entries[0]?.position ?? end) : end
  }

  /** Keeps a copy of what is sent, which follows what was sent before. Of blocks that the session began with, that is here, too. */
  add(position: number, count: number, hidden: Uint8Array): void {
    if (this.#full) return
    if (this.#entries.length === 0 && position > 0) this.#addFirst(position)
    this.#push({ position, count, hidden: hidden.slice() })
  }

  /** Sessions that begin alike may send what this one has sent of its prefix. */
  leavePrefix(): void {
    const prefix = this.#prefix
    if (prefix === undefined) return
    for (const { position, count, hidden } of this.#entries) {
      const name = prefix.blocks[position / prefix.blockPositions]
      if (count === prefix.blockPositions && name !== undefined) this.#memory.leave(prefix, name, hidden)
    }
  }

  /** Forgets what begins at `position` or behind it. */
  truncate(position: number): void {
    const kept = this.#entries.findIndex(entry => endOf(entry) > position)
    if (kept >= 0) this.#drop(kept)
    // what is sent from here on may be all that a later route needs
    this.#full &&= position > 0
  }

  /** What was sent from `position` on; undefined where that is not all here, or no frame began there. */
  since(position: number): readonly SentStates[] | undefined {
    const first = this.#entries.findIndex(entry => entry.position === position)
    return first < 0 ? undefined : this.#entries.slice(first)
  }

  [Symbol.dispose](): void {
    this.#drop(0)
    this.#full = true
  }

  /** The blocks before `position`, if what was sent of all of them is known. */
  #addFirst(position: number): void {
    const prefix = this.#prefix
    if (prefix === undefined || position % prefix.blockPositions !== 0) return
    const { blockPositions } = prefix
    const blocks = this.#memory.first(prefix, position / blockPositions) ?? []
    for (const [index, hidden] of blocks.entries()) {
      this.#push({ position: index * blockPositions, count: blockPositions, hidden })
    }
  }

  #push(states: SentStates): void {
    const bytes = states.hidden.byteLength + ENTRY_BYTES
    const last = this.#entries.at(-1)
    const follows = last === undefined || endOf(last) === states.position
    if (follows && !this.#full && this.#memory.fits(this.#bytes + bytes) && this.#memory.take(bytes)) {
      this.#bytes += bytes
      this.#entries.push(states)
      return
    }
    this.#drop(0)
    this.#full = true
  }

  #drop(from: number): void {
    const bytes = this.#entries.splice(from).reduce((sum, { hidden }) => sum + hidden.byteLength + ENTRY_BYTES, 0)
    this.#bytes -= bytes
    this.#memory.give(bytes)
  }
}

function endOf({ position, count }: SentStates): number {
  return position + count
}
