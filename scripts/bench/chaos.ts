import { join } from 'node:path'
import { fetchModel, parseModelReference } from '@resultity/model'
import { ChaosMesh, type ChaosResult, type ChaosRow, runChaos, tabulate } from '@resultity/testkit/chaos'

export interface ChaosBenchInit {
  /** References; each is served in as many stages as said. */
  readonly models: readonly string[]
  /** Models and conversions are kept here between runs. */
  readonly cacheDir: string
  readonly seed: number
  readonly runs: number
  /** Number of the first run. */
  readonly first: number
  readonly tokens: number
  readonly log: (line: string) => void
}

export interface ChaosBench {
  readonly seed: number
  readonly rows: readonly ChaosRow[]
  readonly results: readonly ChaosResult[]
  /** What should hold and did not. */
  readonly missed: readonly string[]
}

const NODES = 5
const STAGES = 3

/** Strikes nodes and links of a swarm while it answers, and compares each answer with the undisturbed one. */
export async function benchChaos(init: ChaosBenchInit): Promise<ChaosBench> {
  const { cacheDir, seed, runs, first, tokens, log } = init
  const models: string[] = []
  for (const reference of init.models) models.push(await referenceOf(reference, cacheDir))
  log(`starting ${NODES} nodes`)
  const coordinatorData = join(cacheDir, `chaos-coordinator-${init.models.join('-').replaceAll(/[^\w-]/g, '_')}`)
  await using mesh = await ChaosMesh.start({ models, nodes: NODES, stages: STAGES, coordinatorData })
  const results = await runChaos(mesh, { seed, runs, first, stages: STAGES, tokens, log })
  const missed = results.filter(({ outcome }) => outcome !== 'identical').map(({ plan }) => `run ${plan.index}`)
  return { seed, rows: tabulate(results), results, missed }
}

/** A model that comes with this software needs no fetching. */
async function referenceOf(reference: string, cacheDir: string): Promise<string> {
  if (reference === 'tiny-chat') return reference
  const { path } = await fetchModel(parseModelReference(reference), { dataDir: cacheDir })
  return `file:${path}`
}
