import { type AbortOptions, MeshError, type ModelRecipe, type Scheduler, systemScheduler } from '@resultity/interface'
import type { HubClient, RangeWanted } from './hub-client.ts'
import { HubTrouble } from './hub-trouble.ts'
import type { Spool } from './spool.ts'

/** Tries without a byte between them; a connection that breaks more often will not carry a model. */
const TRIES_MAX = 5

/** Longest pause between two tries, where the hub asks for none. */
const PAUSE_MAX_MS = 30_000

export interface HubReadOptions extends AbortOptions {
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler | undefined
}

export interface FillOptions extends HubReadOptions {
  /** How many bytes came; none, before each pause, so that a wait for the hub does not look like an end. */
  onBytes?(bytes: number): void
}

/**
 * Fetches what a spool still wants. What broke off is continued at the byte where it broke.
 *
 * @throws MeshError `model_unavailable` when it breaks off again and again; what `HubClient.read` throws
 */
export async function fillSpool(
  client: HubClient,
  recipe: ModelRecipe,
  spool: Spool,
  options: FillOptions = {}
): Promise<void> {
  while (spool.bytes < spool.bytesTotal) {
    const [extent] = spool.rest()
    if (extent === undefined) return
    const before = spool.bytes
    const rest = (): RangeWanted => {
      const done = spool.bytes - before
      return {
        source: recipe,
        file: fileOf(recipe, extent.file),
        offset: extent.offset + done,
        bytes: extent.bytes - done
      }
    }
    await withRetries(client, rest, options, async chunk => {
      await spool.append(chunk)
      options.onBytes?.(chunk.byteLength)
    })
  }
}

/** The bytes of one range, in memory: of headers and of small files. */
export async function readRange(
  client: HubClient,
  wanted: RangeWanted,
  options: HubReadOptions = {}
): Promise<Uint8Array<ArrayBuffer>> {
  const content = new Uint8Array(wanted.bytes)
  let done = 0
  const rest = (): RangeWanted => ({ ...wanted, offset: wanted.offset + done, bytes: wanted.bytes - done })
  await withRetries(client, rest, options, async chunk => {
    content.set(chunk, done)
    done += chunk.byteLength
  })
  return content
}

async function withRetries(
  client: HubClient,
  rest: () => RangeWanted,
  { signal, scheduler = systemScheduler, onBytes }: FillOptions,
  take: (chunk: Uint8Array) => Promise<void>
): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      for await (const chunk of client.read(rest(), signal)) {
        await take(chunk)
        tries = 1
      }
      return
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof HubTrouble)) throw error
      const { file } = rest()
      if (tries >= TRIES_MAX) {
        throw new MeshError('model_unavailable', `the hub did not serve ${file.path}: ${error.message}`, {
          hint: 'Check the network. What has come is kept, so trying again continues there.',
          cause: error
        })
      }
      const pause = error.retryAfterMs ?? Math.min(client.retryMs * 2 ** (tries - 1), PAUSE_MAX_MS)
      onBytes?.(0)
      await scheduler.sleep(pause, signal === undefined ? {} : { signal })
    }
  }
}

/** @throws MeshError `internal` for a file that the recipe does not name */
export function fileOf({ files, repository }: ModelRecipe, path: string): ModelRecipe['files'][number] {
  const file = files.find(one => one.path === path)
  if (file === undefined) throw new MeshError('internal', `${repository} has no ${path} by its recipe`)
  return file
}
