import { loggedErrors } from '../../hostile/drive/after-run.ts'
import { ApiClient } from '../../hostile/drive/api-client.ts'
import { MeshWatch } from '../../hostile/drive/mesh-watch.ts'
import { type ProcessReport, ProcessWatch } from '../../hostile/drive/process-watch.ts'
import { startAttackedMesh } from './attack-mesh.ts'
import type { AttackRow } from './attack-run.ts'
import { Attackers } from './attackers.ts'
import { HonestCallers, type HonestTurn } from './honest-callers.ts'

export interface AttackBenchInit {
  readonly seed: number
  /** In all: half of it in peace. */
  readonly minutes: number
  /** Only attacks whose name has this in it. */
  readonly only?: string | undefined
  readonly log?: (line: string) => void
}

/** A stretch in peace, and the one under attack right after it. */
export interface AttackTurn {
  readonly peace: HonestTurn
  readonly attacked: HonestTurn
}

/** All that a run showed. */
export interface AttackReport {
  readonly seed: number
  readonly rows: readonly AttackRow[]
  readonly turns: readonly AttackTurn[]
  /** Honest tokens a second under attack, as a share of those right before and after: the median of the turns. */
  readonly share: number
  readonly right: number
  readonly faults: readonly string[]
  readonly nodesLeft: readonly string[]
  readonly processes: readonly ProcessReport[]
  readonly loggedErrors: Readonly<Record<string, number>>
}

const TURN_MS = 15_000
const CALLERS = 2
/** Before anything counts: code is loaded and compiled then. */
const WARM_UP_MS = 10_000

/** Attacks a live mesh of processes in turns, and measures what honest callers get of it with and without that. */
export async function benchAttacked({ seed, minutes, only, log = () => {} }: AttackBenchInit): Promise<AttackReport> {
  log('starting a mesh')
  const { swarm, ground } = await startAttackedMesh()
  await using _swarm = swarm
  const honest = await HonestCallers.start(swarm.url)
  const ask = (): Promise<HonestTurn> => honest.askUntil(AbortSignal.timeout(TURN_MS), CALLERS)
  await honest.askUntil(AbortSignal.timeout(WARM_UP_MS), CALLERS)
  const { coordinator, nodes } = swarm
  const watch = await MeshWatch.start(new ApiClient(swarm.url, ''))
  const processes = new ProcessWatch([{ name: 'coordinator', pid: coordinator.pid }, ...nodes])
  await using attackers = await Attackers.start({ ground, seed, only })
  const turns: AttackTurn[] = []
  let rows: readonly AttackRow[] = []
  const count = Math.max(1, Math.round((minutes * 60_000) / (2 * TURN_MS)))
  for (let turn = 1; turn <= count; turn++) {
    const peace = await ask()
    attackers.attack()
    const attacked = await ask()
    rows = await attackers.stop()
    turns.push({ peace, attacked })
    log(
      `turn ${turn}/${count}: ${rate(peace).toFixed(0)} tokens a second in peace, ${rate(attacked).toFixed(0)} under attack`
    )
  }
  const last = await ask()
  return {
    seed,
    rows,
    turns,
    share: shareOf(turns, last),
    right: honest.right,
    faults: honest.faults,
    nodesLeft: await watch.stop(),
    processes: await processes.stop(),
    loggedErrors: await loggedErrors(swarm.directory)
  }
}

/** Pure. @param last the peace after the last turn */
export function shareOf(turns: readonly AttackTurn[], last: HonestTurn): number {
  const shares = turns.map(({ peace, attacked }, index) => {
    const after = turns[index + 1]?.peace ?? last
    return (2 * rate(attacked)) / (rate(peace) + rate(after))
  })
  const sorted = shares.toSorted((a, b) => a - b)
  const middle = sorted.slice(Math.floor((sorted.length - 1) / 2), Math.floor(sorted.length / 2) + 1)
  return middle.reduce((sum, share) => sum + share, 0) / middle.length
}

function rate({ tokens, seconds }: HonestTurn): number {
  return tokens / seconds
}
