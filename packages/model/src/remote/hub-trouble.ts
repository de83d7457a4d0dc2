import { MeshError } from '@resultity/interface'
import { reasonOf } from '../sources/download.ts'

/** A hub that asks for patience is believed so far. */
const RETRY_AFTER_MAX_MS = 120_000

export interface HubTroubleInit {
  /** How long the hub asks to be left alone. */
  readonly retryAfterMs?: number | undefined
  /** No answer began. Default false. */
  readonly silent?: boolean
  readonly cause?: unknown
}

/** What may pass: a network that breaks off, a hub that is busy. */
export class HubTrouble extends Error {
  override readonly name = 'HubTrouble'
  readonly retryAfterMs: number | undefined
  readonly silent: boolean

  constructor(message: string, { retryAfterMs, silent = false, cause }: HubTroubleInit = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.retryAfterMs = retryAfterMs
    this.silent = silent
  }

  /** What `fetch` and streams reject with, as trouble; what says already what is wrong, as it is. */
  static from(error: unknown, { silent = false }: Pick<HubTroubleInit, 'silent'> = {}): HubTrouble | MeshError {
    if (error instanceof HubTrouble) return error
    if (error instanceof MeshError && error.code !== 'deadline_exceeded') return error
    return new HubTrouble(reasonOf(error), { cause: error, silent })
  }
}

/** Of a `Retry-After` in seconds; a date is not believed, because clocks differ. */
export function retryAfterMs(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header) ? Math.min(Number(header) * 1000, RETRY_AFTER_MAX_MS) : undefined
}
