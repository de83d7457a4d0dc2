import { randomUUID } from 'node:crypto'
import type { JobSubmission } from '../../src/index.ts'

/** Far enough that no test sees it. */
const TOMORROW_MS = 24 * 60 * 60 * 1000

/** A job like any other, but for what a test says about it. */
export function submission(over: Partial<JobSubmission> = {}): JobSubmission {
  return {
    id: `req_${randomUUID().replaceAll('-', '')}`,
    endpoint: '/v1/chat/completions',
    namespace: 'default',
    keyId: 'key_a',
    class: 'interactive',
    lane: 'tiny-chat',
    body: { model: 'tiny-chat', messages: [{ role: 'user', content: 'hello' }] },
    waitMs: TOMORROW_MS,
    attemptsMax: 3,
    ...over
  }
}

export function submissions(count: number, over: Partial<JobSubmission> = {}): JobSubmission[] {
  return Array.from({ length: count }, () => submission(over))
}
