import { openDatabase, type StoreDatabase } from './database/database.ts'

export interface StoreInit {
  /** The coordinator's. */
  readonly dataDir: string
  /** `sqlite`, in the data directory, or the `postgres://` URL of a database that coordinators share. Default `sqlite`. */
  readonly store?: string
}

/** Opens a coordinator's database. @throws MeshError as `openDatabase` does */
export function openStore({ dataDir, store = 'sqlite' }: StoreInit): Promise<StoreDatabase> {
  return openDatabase(store === 'sqlite' ? { dataDir } : { postgresUrl: store })
}
