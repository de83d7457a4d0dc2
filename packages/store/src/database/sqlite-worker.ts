import { parentPort, workerData } from 'node:worker_threads'
import { createJobOperations } from '../jobs/sqlite-job-operations.ts'
import { emptyLog, openSqliteFile, type SqliteFileInit } from './sqlite-file.ts'
import { failureOf, type SqliteReplies, type SqliteRequest } from './sqlite-messages.ts'
import { SqliteSession } from './sqlite-session.ts'

// The thread that has the file. Its first message says that the file is open, or why not.
const port = parentPort
const say = (replies: SqliteReplies): void => port?.postMessage(replies)
const init: SqliteFileInit = workerData

/** Time from a deletion until the deleted data is gone from the write-ahead log: many deletions share one emptying. */
const EMPTY_LOG_AFTER_MS = 1000

try {
  const database = openSqliteFile(init)
  let emptying: NodeJS.Timeout | undefined
  const emptySoon = (): void => {
    emptying ??= setTimeout(() => {
      emptying = undefined
      if (!database.open) return
      try {
        if (session.idle && emptyLog(database)) return
      } catch {
        // a full disk, for one
      }
      emptySoon()
    }, EMPTY_LOG_AFTER_MS)
  }
  const session = new SqliteSession(
    database,
    { ...createJobOperations(database) },
    replies => say({ replies, batch: false }),
    emptySoon
  )
  port?.on('message', (batch: readonly SqliteRequest[]) => {
    const last = batch.at(-1)
    if (last?.type === 'close') {
      const replies = session.handle(batch.slice(0, -1))
      // folds the write-ahead log into the file
      clearTimeout(emptying)
      database.close()
      say({ replies: [...replies, { id: last.id, value: undefined }], batch: true })
      port.close()
    } else say({ replies: session.handle(batch), batch: true })
  })
  say({ replies: [{ id: 0, value: undefined }], batch: false })
} catch (error) {
  say({ replies: [{ id: 0, failure: failureOf(error) }], batch: false })
}
