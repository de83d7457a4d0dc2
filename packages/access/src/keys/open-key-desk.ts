import { parseInput } from '@resultity/api-kit'
import { systemClock } from '@resultity/interface'
import { DatabaseKeyStore, openStore, type StoreInit } from '@resultity/store'
import { KeyDesk } from './key-desk.ts'
import type { ApiKeyView, CreatedKey } from './key-schema.ts'
import { newKeySchema } from './key-schema.ts'

/** Keys of a coordinator that does not run. */
export interface OfflineKeyDesk extends AsyncDisposable {
  /** @throws MeshError `invalid_request` naming the field */
  create(input: unknown): Promise<CreatedKey>
  list(): Promise<readonly ApiKeyView[]>
  revoke(id: string): Promise<ApiKeyView>
  rotate(id: string, graceMs: number): Promise<CreatedKey>
}

const PAGE = 1000

/** Opens a coordinator's database to make and change keys there. Whoever calls holds the lock of its directory. */
export async function openKeyDesk(init: StoreInit): Promise<OfflineKeyDesk> {
  const database = await openStore(init)
  const desk = new KeyDesk({ store: new DatabaseKeyStore(database), clock: systemClock })
  return {
    create: async input => desk.create(parseInput(newKeySchema, input)),
    list: () => listAll(desk),
    revoke: id => desk.revoke(id),
    rotate: (id, graceMs) => desk.rotate(id, graceMs),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]()
  }
}

async function listAll(desk: KeyDesk): Promise<readonly ApiKeyView[]> {
  const all: ApiKeyView[] = []
  for (;;) {
    const after = all.at(-1)?.id
    const { keys, hasMore } = await desk.list({ limit: PAGE, ...(after === undefined ? {} : { after }) })
    all.push(...keys)
    if (!hasMore) return all
  }
}
