import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** What the database of a coordinator has of one running request, for a next attempt to go on from. */
export interface KeptTokens {
  readonly id: string
  readonly class: string
  /** Tokens of each choice, by its index. */
  readonly tokens: ReadonlyMap<number, readonly number[]>
}

interface Row {
  readonly id: string
  readonly class: string
  readonly entries: string
}

/** Reads the database beside the coordinator that writes it. */
export function keptTokens(dataDir: string): KeptTokens[] {
  const database = new DatabaseSync(join(dataDir, 'store.sqlite'), { readOnly: true })
  try {
    const sql = `select id, class, entries from job join job_event using (seq) where state = 'running' order by seq, number`
    const jobs = new Map<string, { class: string; tokens: Map<number, number[]> }>()
    for (const row of database.prepare(sql).all() as unknown as Row[]) {
      const { tokens } = jobs.get(row.id) ?? { tokens: new Map<number, number[]>() }
      jobs.set(row.id, { class: row.class, tokens })
      for (const [type, data] of JSON.parse(row.entries)) {
        if (type !== 'progress') continue
        tokens.set(data.index, [...(tokens.get(data.index) ?? []), ...data.tokens])
      }
    }
    return [...jobs].map(([id, job]) => ({ id, ...job }))
  } finally {
    database.close()
  }
}

/** The shortest of its choices; 0 where it has none. */
export function leastKept({ tokens }: KeptTokens): number {
  return tokens.size === 0 ? 0 : Math.min(...[...tokens.values()].map(({ length }) => length))
}
