import { fileURLToPath } from 'node:url'
import {
  caseAt,
  type HostileReport,
  missedAims,
  missedTimes,
  readCases,
  runHostile,
  writeCases
} from '@resultity/test-attacks/hostile'

export interface HostileInit {
  readonly seed: number
  readonly minutes: number
  readonly clients: number
  /** Only cases whose idea's name has this in it. */
  readonly only: string | undefined
  /** The number of the one case to send. */
  readonly case: number | undefined
  /** A file of cases to send, instead of generated ones. */
  readonly replay: string | undefined
  /** Cases that showed a fault are written here. */
  readonly casesFile: string
  readonly log: (line: string) => void
}

export interface HostileBench {
  readonly report: HostileReport
  /** What should hold and did not. */
  readonly missed: readonly string[]
}

const encoder = fileURLToPath(new URL('../../../packages/model/test/fixtures/tiny-encoder', import.meta.url))
const CASES_WRITTEN_MAX = 50

/** Sends hostile input for some minutes, and says what of the aims was missed. */
export async function benchHostile(init: HostileInit): Promise<HostileBench> {
  const { seed, clients, minutes, only, log } = init
  const chosen = await chosenCases(init)
  const load = chosen === undefined ? { minutes, ...(only === undefined ? {} : { only }) } : { replay: chosen }
  const report = await runHostile({ seed, encoder, clients, log, ...load })
  const missed = [...missedAims(report), ...(chosen === undefined ? missedTimes(report) : [])]
  if (chosen === undefined) await keepCases(init, report)
  return { report, missed }
}

async function chosenCases({ seed, case: index, replay }: HostileInit) {
  if (replay !== undefined) return await readCases(replay)
  return index === undefined ? undefined : [caseAt(seed, index)]
}

/** Cases that showed a fault, and the oldest of those that were out when a probe took longest. */
async function keepCases({ seed, casesFile, log }: HostileInit, { faults, stalls }: HostileReport): Promise<void> {
  const worst = stalls.toSorted((a, b) => b.ms - a.ms).slice(0, 3)
  const numbers = new Set([...faults, ...worst.flatMap(({ out }) => out)].map(({ index }) => index))
  const kept = [...numbers].slice(0, CASES_WRITTEN_MAX)
  if (kept.length === 0) return
  await writeCases(
    casesFile,
    seed,
    kept.map(index => caseAt(seed, index))
  )
  log(`wrote ${kept.length} cases to ${casesFile}; send them again with --replay ${casesFile}`)
}
