import { join } from 'node:path'
import { type Swarm, startSwarm } from '@resultity/testkit'
import { caseAt } from '../corpus/corpus.ts'
import type { HostileCase } from '../corpus/hostile-case.ts'
import { cancelAll, directoryBytes, loggedErrors, ownBatchFailures, ownFailures, settle } from './after-run.ts'
import { ApiClient } from './api-client.ts'
import { HonestClient, type HonestReport } from './honest-client.ts'
import { type Fault, HostileClients, type RecentCase } from './hostile-clients.ts'
import { type Leftovers, MeshWatch } from './mesh-watch.ts'
import { Probe, type ProbeReport } from './probe.ts'
import { type ProcessReport, ProcessWatch } from './process-watch.ts'

export interface HostileRunInit {
  readonly seed: number
  /** Path of the encoder's directory, which is served beside `tiny-chat`. */
  readonly encoder: string
  /** Hostile clients at once. Default 8. */
  readonly clients?: number
  /** After so many cases it is over. */
  readonly cases?: number
  /** Or after so long. */
  readonly minutes?: number
  /** Number of the first case. Default 0. */
  readonly firstCase?: number
  /** Only cases whose idea's name has this in it. */
  readonly only?: string
  /** Sent instead of generated ones. */
  readonly replay?: readonly HostileCase[]
  readonly coordinatorArgs?: readonly string[]
  readonly log?: (line: string) => void
}

/** A probe that took long, and the cases that were out meanwhile, the oldest first. */
export interface Stall {
  readonly target: string
  readonly ms: number
  readonly out: readonly Pick<RecentCase, 'index' | 'idea'>[]
}

/** All that a run showed. */
export interface HostileReport {
  readonly seed: number
  readonly cases: number
  readonly seconds: number
  /** By idea, then by status. */
  readonly outcomes: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly faults: readonly Fault[]
  /** Cases that had no answer until their client's patience ended. */
  readonly late: readonly { readonly index: number; readonly idea: string }[]
  /** Requests and lines of batches that failed by a fault of the mesh. */
  readonly ownFailures: readonly string[]
  readonly honest: HonestReport
  readonly probe: ProbeReport
  readonly stalls: readonly Stall[]
  readonly nodesLeft: readonly string[]
  readonly processes: readonly ProcessReport[]
  readonly leftovers: Leftovers
  readonly loggedErrors: Readonly<Record<string, number>>
  readonly dataBytes: number
}

const CLIENTS = 8
const PROBE_INTERVAL_MS = 50
/** Probes slower than this are told of with what was out then. */
const SLOW_MS = 250
const STALLS_MAX = 200
/** Questions before anything hostile: code is loaded and compiled then. */
const WARM_QUESTIONS = 30

interface Clients {
  readonly admin: ApiClient
  readonly hostile: ApiClient
  readonly hostileKey: string
  readonly honest: ApiClient
}

/** Sends hostile input to a live mesh of processes and watches what that does to it. */
export async function runHostile(init: HostileRunInit): Promise<HostileReport> {
  const log = init.log ?? (() => undefined)
  log('starting a swarm')
  await using swarm = await startSwarm({
    nodes: 3,
    models: ['tiny-chat', `file:${init.encoder}`],
    coordinatorArgs: init.coordinatorArgs ?? []
  })
  const clients = await makeKeys(swarm)
  const honest = await HonestClient.start(clients.honest)
  for (let turn = 0; turn < WARM_QUESTIONS; turn++) await honest.ask(turn)
  return await attack(init, swarm, clients, honest, log)
}

/** The first key is the admin's; from then on nobody does anything without. */
async function makeKeys({ url }: Swarm): Promise<Clients> {
  const make = async (api: ApiClient, name: string, scopes: readonly string[]): Promise<string> => {
    const { key } = await api.read<{ key: string }>('/v1/admin/keys', { name, namespace: name, scopes })
    return key
  }
  const admin = new ApiClient(url, await make(new ApiClient(url, ''), 'admin', ['admin']))
  const hostileKey = await make(admin, 'hostile', ['inference', 'read-usage', 'read-mesh', 'webhooks'])
  const honestKey = await make(admin, 'honest', ['inference'])
  return { admin, hostileKey, hostile: new ApiClient(url, hostileKey), honest: new ApiClient(url, honestKey) }
}

async function attack(
  init: HostileRunInit,
  swarm: Swarm,
  api: Clients,
  honest: HonestClient,
  log: (line: string) => void
): Promise<HostileReport> {
  const { coordinator, nodes, directory } = swarm
  const processes = new ProcessWatch([{ name: 'coordinator', pid: coordinator.pid }, ...nodes])
  const mesh = await MeshWatch.start(api.admin)
  const caseOf = caseSource(init)
  const hostile = new HostileClients(
    { url: swarm.url, apiKey: api.hostileKey, clients: init.clients ?? CLIENTS, caseOf },
    api.hostile
  )
  const stalls: Stall[] = []
  const probe = await Probe.start(
    {
      healthUrl: `${swarm.url}/healthz`,
      nodes: nodes.map(({ name, peerId, multiaddrs }) => ({ name, peerId, multiaddrs })),
      directory: join(directory, 'probe'),
      intervalMs: PROBE_INTERVAL_MS,
      slowMs: SLOW_MS
    },
    ({ target, ms }) => {
      if (stalls.length < STALLS_MAX)
        stalls.push({
          target,
          ms,
          out: hostile.outSince(performance.now() - ms).map(({ index, idea }) => ({ index, idea }))
        })
    }
  )
  const startedMs = performance.now()
  const over = new AbortController()
  const ticker = setInterval(() => log(progress(hostile, honest, stalls, processes)), 5_000)
  const asking = honest.askUntil(over.signal)
  await hostile.sendUntil(init.minutes === undefined ? over.signal : AbortSignal.timeout(init.minutes * 60_000))
  over.abort()
  await asking
  clearInterval(ticker)
  const seconds = (performance.now() - startedMs) / 1000
  log('the cases are through; waiting until nothing is left of them')
  await cancelAll(api.hostile, hostile.batchIds)
  const left = await settle(api.admin)
  const report = {
    seed: init.seed,
    cases: hostile.sent,
    seconds,
    outcomes: Object.fromEntries([...hostile.outcomes].map(([idea, counts]) => [idea, Object.fromEntries(counts)])),
    faults: hostile.faults,
    late: hostile.late,
    ownFailures: [...(await ownFailures(api.hostile)), ...(await ownBatchFailures(api.hostile, hostile.batchIds))],
    stalls,
    leftovers: left,
    nodesLeft: await mesh.stop(),
    probe: await probe.stop(),
    dataBytes: await directoryBytes(coordinator.dataDir),
    loggedErrors: await loggedErrors(directory)
  }
  return { ...report, honest: honest.report, processes: await processes.stop() }
}

/** Which case has a number in this run. */
function caseSource({
  seed,
  cases,
  firstCase = 0,
  only,
  replay
}: HostileRunInit): (index: number) => HostileCase | undefined {
  if (replay !== undefined) return index => replay[index]
  let skipped = firstCase
  return index => {
    if (cases !== undefined && index >= cases) return undefined
    for (;;) {
      const drawn = caseAt(seed, index + skipped)
      if (only === undefined || drawn.idea.includes(only)) return drawn
      skipped += 1
    }
  }
}

function progress(
  hostile: HostileClients,
  honest: HonestClient,
  stalls: readonly Stall[],
  processes: ProcessWatch
): string {
  const { right, refused, faults } = honest.report
  const parts = [
    `${hostile.sent} cases`,
    `${hostile.faults.length} faults`,
    `honest: ${right} right, ${refused} refused, ${faults.length} wrong`,
    `${stalls.length} slow probes`,
    ...processes.died.map(name => `${name} died`)
  ]
  return parts.join('; ')
}
