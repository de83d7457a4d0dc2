import type { JobEvent, JsonValue, NewJobEvent } from '@resultity/store'

/** Entries of a log that are for the next attempt. To a reader they say nothing. */
const PROGRESS = 'progress'

/** What attempts at a job leave to the next one: it goes on where they ended, and does not begin again. */
export interface JobProgress {
  /** What earlier attempts left, in order. */
  readonly earlier: readonly JsonValue[]
  /**
   * Calls `take` for what is new each time that the log is written. It is stored together with all that was added to the log
   * before the call, or ahead of it.
   *
   * @returns to be called when there is something new: it is then stored after a moment, if nothing else is before that
   */
  keep(take: () => JsonValue | undefined): () => void
}

/** Gathers what the makers of an answer's choices want kept. */
export class AttemptProgress implements JobProgress {
  readonly earlier: readonly JsonValue[]
  readonly #onChange: () => void
  #sources: (() => JsonValue | undefined)[] = []
  #changed = false

  /** @param logged entries of earlier attempts, others among them */
  constructor(logged: readonly JobEvent[], onChange: () => void) {
    this.earlier = logged.filter(isProgress).map(({ data }) => data)
    this.#onChange = onChange
  }

  /** Whether there is something that is not in an entry yet. */
  get changed(): boolean {
    return this.#changed
  }

  keep(take: () => JsonValue | undefined): () => void {
    this.#sources.push(take)
    return () => {
      if (this.#changed || !this.#sources.includes(take)) return
      this.#changed = true
      this.#onChange()
    }
  }

  /** Entries of all that is new. */
  take(): NewJobEvent[] {
    if (!this.#changed) return []
    this.#changed = false
    return this.#sources
      .map(take => take())
      .filter(data => data !== undefined)
      .map(data => ({ type: PROGRESS, data }))
  }

  /** No attempt comes after this one. */
  drop(): void {
    this.#sources = []
    this.#changed = false
  }
}

export function isProgress({ type }: NewJobEvent): boolean {
  return type === PROGRESS
}
