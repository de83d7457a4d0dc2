import { type JobStore, openDatabase, openJobStore } from '@resultity/store'

/** A store on a database of its own, as a coordinator opens it. */
export async function openTestStore(dataDir: string): Promise<JobStore> {
  const database = await openDatabase({ dataDir })
  const store = await openJobStore(database)
  const close = store[Symbol.asyncDispose].bind(store)
  return Object.assign(store, {
    [Symbol.asyncDispose]: async () => {
      await close()
      await database[Symbol.asyncDispose]()
    }
  })
}
