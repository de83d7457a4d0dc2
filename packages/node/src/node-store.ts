import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import { systemClock } from '@resultity/interface'
import { ContentRecords, HubClient } from '@resultity/model'
import type { NodeInit } from './node-init.ts'
import type { HubPart, MakingStore } from './recipe-files.ts'
import { removeUnfinished } from './unfinished-models.ts'

/** The weights of a node, and how it makes some. */
export interface NodeStore {
  readonly store: FileBlobStore
  readonly maker: { readonly hub: HubPart; readonly store: MakingStore }
}

/** What was fetched of a model and not asked for again for a week is not worth its space. */
const LEFTOVER_AGE_MAX_MS = 7 * 24 * 60 * 60 * 1000

/** Coordinators decide what is fetched, so the store has a size limit. */
export async function openNodeStore(init: NodeInit): Promise<NodeStore> {
  const { dataDir, blobSources = [], blobCacheBytes, logger, hub } = init
  const store = await FileBlobStore.open(dataDir, {
    readOnlySources: blobSources,
    cache: blobCacheBytes === undefined ? {} : { bytesMax: blobCacheBytes },
    onDamaged: path => logger.warn({ path }, 'a weight file is damaged; it is fetched again')
  })
  const directory = join(dataDir, 'hub')
  await removeUnfinished(directory, { changedAfter: (init.scheduler ?? systemClock).now() - LEFTOVER_AGE_MAX_MS })
  const records = await ContentRecords.open(join(directory, 'contents.json'))
  const client = hub === undefined ? undefined : new HubClient(hub)
  return { store, maker: { store, hub: { client, directory, records } } }
}
