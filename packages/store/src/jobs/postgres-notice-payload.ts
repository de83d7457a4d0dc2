import { safeParse } from '@resultity/interface'
import { z } from 'zod'
import type { JobNotice } from '../job-store.ts'

/** PostgreSQL takes payloads below 8000 bytes. */
const PAYLOAD_BYTES_MAX = 7900

/** Beyond this many at once, listeners look at everything anyway. */
const NOTICES_MAX = 2000

const MISSED: JobNotice = { type: 'missed' }

/** `q` lanes, `c` ids of jobs that changed, `x` ids of jobs whose end was asked for, `m` 1 when to look at everything. */
const payloadSchema = z.object({
  from: z.string(),
  q: z.array(z.string()).default([]),
  c: z.array(z.string()).default([]),
  x: z.array(z.string()).default([]),
  m: z.literal(1).optional()
})

const fieldOf = { queued: 'q', changed: 'c', cancel_requested: 'x' } as const

/** The payloads that carry these notices to the other coordinators, each notice once. */
export function encodeNotices(from: string, notices: readonly JobNotice[]): string[] {
  const said = new Map(notices.map(notice => [JSON.stringify(notice), notice]))
  const everything = JSON.stringify({ from, m: 1 })
  if (said.size > NOTICES_MAX || said.has(JSON.stringify(MISSED))) return [everything]
  const payloads: string[] = []
  let open: Record<'q' | 'c' | 'x', string[]> = { q: [], c: [], x: [] }
  let bytes = 0
  const close = (): void => {
    if (bytes > 0) payloads.push(JSON.stringify({ from, ...open }))
    open = { q: [], c: [], x: [] }
    bytes = 0
  }
  for (const notice of said.values()) {
    if (notice.type === 'missed') continue
    const name = notice.type === 'queued' ? notice.lane : notice.jobId
    const more = Buffer.byteLength(JSON.stringify(name)) + 1
    // a lane may have a long name, and nothing else would fit it
    if (more > PAYLOAD_BYTES_MAX - 200) return [everything]
    if (bytes + more > PAYLOAD_BYTES_MAX - 200) close()
    open[fieldOf[notice.type]].push(name)
    bytes += more
  }
  close()
  return payloads
}

/**
 * The notices of another coordinator; none if this process sent them. A payload that is not understood counts as
 * `missed`.
 */
export function decodeNotices(self: string, payload: string): readonly JobNotice[] {
  const parsed = safeParse(payloadSchema, parseJson(payload))
  if (!parsed.success) return [MISSED]
  const { from, q, c, x, m } = parsed.data
  if (from === self) return []
  if (m === 1) return [MISSED]
  return [
    ...q.map((lane): JobNotice => ({ type: 'queued', lane })),
    ...c.map((jobId): JobNotice => ({ type: 'changed', jobId })),
    ...x.map((jobId): JobNotice => ({ type: 'cancel_requested', jobId }))
  ]
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // from a coordinator of another version, or from another user of the channel
    return undefined
  }
}
