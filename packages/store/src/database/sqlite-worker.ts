import { parentPort, workerData } from 'node:worker_threads'
import { createJobOperations } from '../jobs/sqlite-job-operations.ts'
import { openSqliteFile, type SqliteFileInit } from './sqlite-file.ts'
import { failureOf, type SqliteReplies, type SqliteRequest } from './sqlite-messages.ts'
import { SqliteSession } from './sqlite-session.ts'

// The thread that has the file. Its first message says that the file is open, or why not.
const port = parentPort
const say = (replies: SqliteReplies): void => port?.postMessage(replies)
const init: SqliteFileInit = workerData

try {
  const database = openSqliteFile(init)
  const session = new SqliteSession(database, { ...createJobOperations(database) }, replies =>
    say({ replies, batch: false })
  )
  port?.on('message', (batch: readonly SqliteRequest[]) => {
    const last = batch.at(-1)
    if (last?.type === 'close') {
      const replies = session.handle(batch.slice(0, -1))
      // folds the write-ahead log into the file
      database.close()
      say({ replies: [...replies, { id: last.id, value: undefined }], batch: true })
      port.close()
    } else say({ replies: session.handle(batch), batch: true })
  })
  say({ replies: [{ id: 0, value: undefined }], batch: false })
} catch (error) {
  say({ replies: [{ id: 0, failure: failureOf(error) }], batch: false })
}
