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
 * route then computes it again.
 */
export class SentLogs {
  readonly #bytesMax: number
  #bytes = 0

  /** @param bytesMax for all sessions together, of which one takes at most a quarter; 0: nothing is kept */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Memory that logs take. */
  get bytes(): number {
    return this.#bytes
  }

  /** A log of one session. Dispose it with the session. */
  open(): SentLog {
    return new SentLog({
      take: bytes => {
        if (this.#bytes + bytes > this.#bytesMax) return false
        this.#bytes += bytes
        return true
      },
      give: bytes => {
        this.#bytes -= bytes
      },
      bytesMax: this.#bytesMax * SESSION_SHARE
    })
  }
}

interface LogMemory {
  /** @returns false where there is not as much */
  take(bytes: number): boolean
  give(bytes: number): void
  /** Of one log. */
  readonly bytesMax: number
}

/**
 * The hidden states that one session's stage gave to the next, frame by frame: where the next stage is lost, another can be given
 * the same, in steps of the same lengths.
 */
export class SentLog implements Disposable {
  readonly #memory: LogMemory
  #entries: SentStates[] = []
  #bytes = 0
  #full = false

  constructor(memory: LogMemory) {
    this.#memory = memory
  }

  /**
   * From which position on everything up to `end` is here; `end` where nothing is.
   * @param end behind the last position that was computed
   */
  from(end: number): number {
    const last = this.#entries.at(-1)
    return last !== undefined && endOf(last) === end ? (this.#entries[0]?.position ?? end) : end
  }

  /** Keeps a copy of what is sent, which follows what was sent before. */
  add(position: number, count: number, hidden: Uint8Array): void {
    if (this.#full) return
    const bytes = hidden.byteLength + ENTRY_BYTES
    const last = this.#entries.at(-1)
    const follows = last === undefined || endOf(last) === position
    if (!follows || this.#bytes + bytes > this.#memory.bytesMax || !this.#memory.take(bytes)) {
      this.#drop(0)
      this.#full = true
      return
    }
    this.#bytes += bytes
    this.#entries.push({ position, count, hidden: hidden.slice() })
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

  #drop(from: number): void {
    const bytes = this.#entries.splice(from).reduce((sum, { hidden }) => sum + hidden.byteLength + ENTRY_BYTES, 0)
    this.#bytes -= bytes
    this.#memory.give(bytes)
  }
}

function endOf({ position, count }: SentStates): number {
  return position + count
}
