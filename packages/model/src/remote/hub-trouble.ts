import { MeshError } from '@resultity/interface'
import { reasonOf } from '../sources/download.ts'

/** A hub that asks for patience is believed so far. */
const RETRY_AFTER_MAX_MS = 120_000

/** What may pass: a network that breaks off, a hub that is busy. */
export class HubTrouble extends Error {
  override readonly name = 'HubTrouble'
  /** How long the hub asks to be left alone. */
  readonly retryAfterMs: number | undefined

  constructor(message: string, retryAfterMs?: number, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.retryAfterMs = retryAfterMs
  }

  /** What `fetch` and streams reject with, as trouble; what says already what is wrong, as it is. */
  static from(error: unknown): HubTrouble | MeshError {
    if (error instanceof HubTrouble) return error
    if (error instanceof MeshError && error.code !== 'deadline_exceeded') return error
    return new HubTrouble(reasonOf(error), undefined, error)
  }
}

/** Of a `Retry-After` in seconds; a date is not believed, because clocks differ. */
export function retryAfterMs(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header) ? Math.min(Number(header) * 1000, RETRY_AFTER_MAX_MS) : undefined
}
