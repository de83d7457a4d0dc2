import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ApiClient } from './api-client.ts'
import { isNothing, type Leftovers, leftovers } from './mesh-watch.ts'

/** Codes of failed requests that say that something here went wrong. */
const OUR_FAULT = /^(internal|engine_failed|replay_diverged|protocol_violation|session_unknown|model_invalid)$/
const SETTLE_MS = 90_000
const POLL_MS = 250
const PAGES_OF_FAILED = 100

interface RequestView {
  readonly id: string
  readonly endpoint: string
  readonly error: { readonly code: string; readonly message: string } | null
}

/** Cancels what nobody waits for any more, as its clients could. */
export async function cancelAll(api: ApiClient, batchIds: readonly string[]): Promise<void> {
  for (const id of batchIds) await api.send('POST', `/v1/batches/${id}/cancel`)
  for (const status of ['queued', 'running']) {
    for await (const { id } of api.list<RequestView>(`/v1/requests?limit=100&status=${status}`)) {
      await api.send('POST', `/v1/requests/${id}/cancel`)
    }
  }
}

/** Resolves with what is left once that is nothing, or after a while. */
export async function settle(api: ApiClient): Promise<Leftovers> {
  const deadlineMs = performance.now() + SETTLE_MS
  for (;;) {
    const left = await leftovers(api)
    if (isNothing(left) || performance.now() > deadlineMs) return left
    await delay(POLL_MS)
  }
}

/** Requests that failed by a fault of the mesh itself, with or without a waiting client. */
export async function ownFailures(api: ApiClient): Promise<string[]> {
  const found: string[] = []
  let looked = 0
  for await (const { id, endpoint, error } of api.list<RequestView>('/v1/requests?limit=100&status=failed')) {
    if (error !== null && OUR_FAULT.test(error.code)) found.push(`${endpoint} ${id}: ${error.code}: ${error.message}`)
    looked += 1
    if (looked >= PAGES_OF_FAILED * 100) break
  }
  return found
}

/** Lines of batches that were answered by a fault of the mesh's own. */
export async function ownBatchFailures(api: ApiClient, batchIds: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const id of batchIds) {
    const batch = await api.read<{ error_file_id?: string }>(`/v1/batches/${id}`)
    if (batch.error_file_id === undefined) continue
    const { text } = await api.send('GET', `/v1/files/${batch.error_file_id}/content`)
    found.push(
      ...text
        .split('\n')
        .filter(line => /"code":"internal"|"status_code":50[02]/.test(line))
        .slice(0, 3)
    )
  }
  return found.map(line => line.slice(0, 400))
}

/** Errors that the processes logged, by their message, and how often each. */
export async function loggedErrors(directory: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const name of await readdir(join(directory, 'logs'))) {
    const text = await readFile(join(directory, 'logs', name), 'utf8')
    for (const line of text.split('\n')) {
      const level = /"level":(?:"(error|fatal)"|([56]0))/.exec(line)
      if (level === null) continue
      const message = `${name}: ${/"msg":"([^"]*)"/.exec(line)?.[1] ?? ''}`
      counts[message] = (counts[message] ?? 0) + 1
    }
  }
  return counts
}

export async function directoryBytes(directory: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(directory, { recursive: true })) {
    const { size } = await stat(join(directory, entry)).catch(() => ({ size: 0 }))
    bytes += size
  }
  return bytes
}
