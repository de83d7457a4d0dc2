import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import type { HashReply, HashRequest } from './file-hash.ts'

const BUFFER_BYTES = 1024 * 1024

function sha256OfFile(path: string): string {
  const buffer = new Uint8Array(BUFFER_BYTES)
  const hash = createHash('sha256')
  const descriptor = openSync(path, 'r')
  try {
    for (;;) {
      const count = readSync(descriptor, buffer)
      if (count === 0) return hash.digest('hex')
      hash.update(buffer.subarray(0, count))
    }
  } finally {
    closeSync(descriptor)
  }
}

parentPort?.on('message', ({ id, path }: HashRequest) => {
  let reply: HashReply
  try {
    reply = { id, sha256: sha256OfFile(path) }
  } catch (error) {
    reply = { id, failure: error instanceof Error ? error.message : String(error) }
  }
  parentPort?.postMessage(reply)
})
