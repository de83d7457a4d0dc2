import type { JobNotice } from '../job-store.ts'

/** Notifies listeners in this process. */
export class JobNotices {
  readonly #listeners = new Set<(notice: JobNotice) => void>()

  listen(listener: (notice: JobNotice) => void): () => void {
    // the same function may listen twice
    const own = (notice: JobNotice): void => listener(notice)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  emit(notices: readonly JobNotice[]): void {
    for (const notice of notices) for (const listener of this.#listeners) listener(notice)
  }
}
