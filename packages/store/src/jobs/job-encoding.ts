import type { JsonColumn } from '../database/json-column.ts'
import { decodeJson, encodeJson } from '../database/json-column.ts'
import type { JobEvent, JsonValue, NewJobEvent } from '../job.ts'
import type { JobOutcome } from '../job-store.ts'
import type { EncodedOutcome } from './job-change.ts'
import type { LogEntries } from './job-row.ts'

type Entry = readonly [type: string, data: JsonValue]

export function encodeEntries(events: readonly NewJobEvent[]): LogEntries {
  return { text: encodeJson(events.map(({ type, data }): Entry => [type, data])), count: events.length }
}

export function encodeOutcome(outcome: JobOutcome): EncodedOutcome {
  if (outcome.state === 'succeeded') {
    const usage = outcome.usage === null ? null : encodeJson(outcome.usage)
    return { state: 'succeeded', content: { result: encodeJson(outcome.result), usage } }
  }
  if (outcome.state === 'failed') return { state: 'failed', content: { error: encodeJson(outcome.error) } }
  return outcome
}

/** The entries with numbers above `after` from rows of the log, which hold several each. */
export function eventsOf(
  rows: readonly (readonly [lastNumber: number, entries: JsonColumn<readonly Entry[]>])[],
  after: number,
  limit: number
): readonly JobEvent[] {
  const events: JobEvent[] = []
  for (const [lastNumber, text] of rows) {
    const entries = decodeJson(text)
    const first = lastNumber - entries.length + 1
    for (const [index, [type, data]] of entries.entries()) {
      const number = first + index
      if (number > after && events.length < limit) events.push({ number, type, data })
    }
  }
  return events
}
