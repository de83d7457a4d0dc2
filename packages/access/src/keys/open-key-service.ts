import { parseInput } from '@resultity/api-kit'
import { systemClock } from '@resultity/interface'
import { DatabaseKeyStore, openStore, type StoreInit } from '@resultity/store'
import type { ApiKeyView, CreatedKey } from './key-schema.ts'
import { newKeySchema } from './key-schema.ts'
import { KeyService } from './key-service.ts'

/** Keys of a coordinator that does not run. */
export interface OfflineKeyService extends AsyncDisposable {
  /** @throws MeshError `invalid_request` naming the field */
  create(input: unknown): Promise<CreatedKey>
  list(): Promise<readonly ApiKeyView[]>
  revoke(id: string): Promise<ApiKeyView>
  rotate(id: string, graceMs: number): Promise<CreatedKey>
}

const PAGE = 1000

/** Opens a coordinator's database to make and change keys there. The caller holds the lock of its directory. */
export async function openKeyService(init: StoreInit): Promise<OfflineKeyService> {
  const database = await openStore(init)
  const service = new KeyService({ store: new DatabaseKeyStore(database), clock: systemClock })
  return {
    create: async input => service.create(parseInput(newKeySchema, input)),
    list: () => listAll(service),
    revoke: id => service.revoke(id),
    rotate: (id, graceMs) => service.rotate(id, graceMs),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]()
  }
}

async function listAll(service: KeyService): Promise<readonly ApiKeyView[]> {
  const all: ApiKeyView[] = []
  for (;;) {
    const after = all.at(-1)?.id
    const { keys, hasMore } = await service.list({ limit: PAGE, ...(after === undefined ? {} : { after }) })
    all.push(...keys)
    if (!hasMore) return all
  }
}
