import type { ChaosResult } from './chaos-run.ts'

/** Runs of one kind of fault together. */
export interface ChaosRow {
  /** Of one fault its kind; of runs with two of them `two faults`. */
  readonly kind: string
  readonly runs: number
  readonly identical: number
  readonly different: number
  readonly failed: number
  /** Answers that say that they are exact. */
  readonly exact: number
  /** Of runs in which an answer was taken round, or its route made again. */
  readonly p50Ms: number
  readonly p95Ms: number
  readonly maxMs: number
}

/** The results by kind of fault, all of them together last. Pure. */
export function tabulate(results: readonly ChaosResult[]): ChaosRow[] {
  const kinds = [...new Set(results.map(kindOf))]
  const rows = kinds.map(kind =>
    rowOf(
      kind,
      results.filter(result => kindOf(result) === kind)
    )
  )
  return [...rows, rowOf('all', results)]
}

function kindOf({ plan: { faults } }: ChaosResult): string {
  return faults.length > 1 ? 'two faults' : (faults[0]?.kind ?? 'none')
}

function rowOf(kind: string, results: readonly ChaosResult[]): ChaosRow {
  const count = (outcome: ChaosResult['outcome']): number => results.filter(one => one.outcome === outcome).length
  const pauses = results.filter(({ reroutes }) => reroutes > 0).map(({ pauseMs }) => pauseMs)
  const sorted = pauses.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
  return {
    kind,
    runs: results.length,
    identical: count('identical'),
    different: count('different'),
    failed: count('failed'),
    exact: results.filter(({ exact, outcome }) => exact && outcome !== 'failed').length,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    maxMs: at(1)
  }
}
