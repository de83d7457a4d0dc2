import { ofModelLane, type UsageGroup, type UsageSum } from '@resultity/store'
import { stringify } from 'csv-stringify/sync'
import type { UsageGroupName, UsageView } from './usage-schema.ts'

const DAY_MS = 86_400_000

export function toGroup(name: UsageGroupName): UsageGroup {
  return name === 'model' ? 'lane' : name
}

/** A sum as the API shows it, with the requested dimensions only. */
export function toUsageView({ key, namespace, lane, endpoint, day, request, ...sum }: UsageSum): UsageView {
  return {
    object: 'usage',
    ...(key === undefined ? {} : { key_id: key }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(lane === undefined ? {} : modelOf(lane)),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(day === undefined ? {} : { day: new Date(day * DAY_MS).toISOString().slice(0, 10) }),
    ...(request === undefined ? {} : { request_id: request }),
    requests: sum.requests,
    failures: sum.failures,
    prompt_tokens: sum.promptTokens,
    completion_tokens: sum.completionTokens,
    total_tokens: sum.promptTokens + sum.completionTokens
  }
}

/** The model of a lane, and its subcloud. Usage in a subcloud is summed separately. */
function modelOf(lane: string): Pick<UsageView, 'model' | 'subcloud'> {
  const { model = null, subcloud = null } = ofModelLane(lane) ?? {}
  return { model, subcloud }
}

const columnOf: Readonly<Record<UsageGroupName, keyof UsageView>> = {
  key: 'key_id',
  namespace: 'namespace',
  model: 'model',
  endpoint: 'endpoint',
  day: 'day',
  request: 'request_id'
}

const SUMS = ['requests', 'failures', 'prompt_tokens', 'completion_tokens', 'total_tokens'] as const

/**
 * The same as CSV with a heading. Names come from users: one that a spreadsheet would take for a formula gets an
 * apostrophe before it.
 */
export function toCsv(views: readonly UsageView[], groupBy: readonly UsageGroupName[]): string {
  const columns = [...groupBy.flatMap(group => [columnOf[group], ...(group === 'model' ? ['subcloud'] : [])]), ...SUMS]
  return stringify([...views], { header: true, columns: [...columns], escape_formulas: true })
}
