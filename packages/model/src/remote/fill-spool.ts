import { MeshError, type ModelRecipe } from '@resultity/interface'
import type { HubClient, RangeWanted } from './hub-client.ts'
import type { Spool } from './spool.ts'
import { type HubReadOptions, withTries } from './tries.ts'

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
    await readRest(client, rest, options, async chunk => {
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
  await readRest(client, rest, options, async chunk => {
    content.set(chunk, done)
    done += chunk.byteLength
  })
  return content
}

async function readRest(
  client: HubClient,
  rest: () => RangeWanted,
  { onBytes, ...options }: FillOptions,
  take: (chunk: Uint8Array) => Promise<void>
): Promise<void> {
  await withTries(
    client,
    {
      ...options,
      onPause: () => onBytes?.(0),
      failed: trouble => {
        const { file, source } = rest()
        const what = `${file.path} of ${source.repository}@${source.commit}`
        return new MeshError('model_unavailable', `the hub did not serve ${what}: ${trouble.message}`, {
          hint: 'Check the network. What has come is kept, so trying again continues there.',
          cause: trouble
        })
      }
    },
    async progressed => {
      for await (const chunk of client.read(rest(), options.signal)) {
        await take(chunk)
        progressed()
      }
    }
  )
}

/** @throws MeshError `internal` for a file that the recipe does not name */
export function fileOf({ files, repository }: ModelRecipe, path: string): ModelRecipe['files'][number] {
  const file = files.find(one => one.path === path)
  if (file === undefined) throw new MeshError('internal', `${repository} has no ${path} by its recipe`)
  return file
}
