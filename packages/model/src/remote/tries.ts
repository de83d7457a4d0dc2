import { type AbortOptions, type MeshError, type Scheduler, systemScheduler } from '@resultity/interface'
import type { HubClient } from './hub-client.ts'
import { HubTrouble } from './hub-trouble.ts'

/** Tries without a byte between them; a connection that breaks more often will not carry a model. */
export const TRIES_MAX = 5

/** Longest pause between two tries, where the hub asks for none. */
const PAUSE_MAX_MS = 30_000

export interface HubReadOptions extends AbortOptions {
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler | undefined
}

export interface TriesInit extends HubReadOptions {
  /** Of a hub that does not even answer. Default {@link TRIES_MAX}. */
  readonly silentTriesMax?: number | undefined
  /** Called before each pause. */
  onPause?(): void
  /** The error of the last try, as one that says what to do. */
  failed(trouble: HubTrouble): MeshError
}

/**
 * Asks a hub again where it is in trouble, after pauses that double or are as long as it asks for.
 *
 * @param work calls `progressed` where something came: then the count of tries begins anew
 */
export async function withTries<T>(
  client: Pick<HubClient, 'retryMs'>,
  { signal, scheduler = systemScheduler, silentTriesMax = TRIES_MAX, onPause, failed }: TriesInit,
  work: (progressed: () => void) => Promise<T>
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work(() => {
        tries = 1
      })
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof HubTrouble)) throw error
      if (tries >= (error.silent ? silentTriesMax : TRIES_MAX)) throw failed(error)
      const pause = error.retryAfterMs ?? Math.min(client.retryMs * 2 ** (tries - 1), PAUSE_MAX_MS)
      onPause?.()
      await scheduler.sleep(pause, signal === undefined ? {} : { signal })
    }
  }
}
