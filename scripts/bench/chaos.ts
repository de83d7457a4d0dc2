import { join } from 'node:path'
import { fetchModel, parseModelReference } from '@resultity/model'
import { startPostgres } from '@resultity/test-postgres'
import {
  ChaosMesh,
  type ChaosResult,
  type ChaosRow,
  CoordinatorMesh,
  runChaos,
  runCoordinatorChaos,
  tabulate
} from '@resultity/testkit/chaos'

export interface ChaosBenchInit {
  /** Kills the coordinator, which stores requests there; with PostgreSQL there are two. Undefined: strikes nodes and links. */
  readonly coordinator: 'sqlite' | 'postgres' | undefined
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
  const { cacheDir, seed } = init
  const models: string[] = []
  for (const reference of init.models) models.push(await referenceOf(reference, cacheDir))
  const coordinatorData = join(cacheDir, `chaos-coordinator-${init.models.join('-').replaceAll(/[^\w-]/g, '_')}`)
  const strike = init.coordinator === undefined ? strikeNodes : killCoordinators
  const results = await strike(init, models, coordinatorData)
  const missed = results.filter(({ outcome }) => outcome !== 'identical').map(({ plan }) => `run ${plan.index}`)
  return { seed, rows: tabulate(results), results, missed }
}

async function strikeNodes(
  { seed, runs, first, tokens, log }: ChaosBenchInit,
  models: readonly string[],
  coordinatorData: string
): Promise<readonly ChaosResult[]> {
  log(`starting ${NODES} nodes`)
  await using mesh = await ChaosMesh.start({ models, nodes: NODES, stages: STAGES, coordinatorData })
  return await runChaos(mesh, { seed, runs, first, stages: STAGES, tokens, log })
}

/** Stages of a coordinator's models: there are no spare nodes, as none is lost. */
async function killCoordinators(
  { coordinator, seed, runs, first, tokens, log }: ChaosBenchInit,
  models: readonly string[],
  coordinatorData: string
): Promise<readonly ChaosResult[]> {
  const server = coordinator === 'postgres' ? await startPostgres() : undefined
  try {
    const postgresUrl = await server?.createDatabase()
    await using mesh = await CoordinatorMesh.start({
      models,
      nodes: STAGES,
      stages: STAGES,
      coordinatorData,
      postgresUrl
    })
    return await runCoordinatorChaos(mesh, { seed, runs, first, tokens, log })
  } finally {
    await server?.stop()
  }
}

/** A model that comes with this software needs no fetching. */
async function referenceOf(reference: string, cacheDir: string): Promise<string> {
  if (reference === 'tiny-chat') return reference
  const { path } = await fetchModel(parseModelReference(reference), { dataDir: cacheDir })
  return `file:${path}`
}
