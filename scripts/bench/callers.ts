import { loadavg } from 'node:os'
import { MeshError } from '@resultity/interface'
import { fetchModel, parseModelReference } from '@resultity/model'
import { type Swarm, startSwarm } from '@resultity/testkit'
import { type ChatServer, promptOf, type StreamTimes, stream } from './callers-load.ts'
import { median } from './contestant.ts'
import { percentile } from './percentile.ts'

export interface CallersInit {
  /** Model reference. */
  readonly model: string
  /** Models are kept here between runs. */
  readonly cacheDir: string
  /** A swarm of so many stages each. */
  readonly stages: readonly number[]
  /** Callers at once. */
  readonly callers: readonly number[]
  readonly threads: number
  readonly rounds: number
  readonly promptWords: number
  readonly answerTokens: number
  /** Further arguments of every node. */
  readonly nodeArgs: readonly string[]
  /** Other servers, measured in turns with ours, by name: another build, or llama-server. */
  readonly beside: ReadonlyMap<string, string>
  readonly log: (line: string) => void
}

/** Medians over the rounds. */
export interface CallersResult {
  readonly name: string
  readonly callers: number
  /** Tokens of all callers a second, from the first request to the last token. */
  readonly tokensPerSecond: number
  readonly range: readonly [number, number]
  /** Between two tokens of a caller. */
  readonly gapP50Ms: number
  readonly gapP95Ms: number
  readonly firstTokenP50Ms: number
}

export interface CallersReport {
  readonly model: string
  readonly threads: number
  readonly rounds: number
  readonly answerTokens: number
  /** Processes that wanted a core, by the system's own mean over a minute: the least and the most of all rounds. */
  readonly load: readonly [number, number]
  readonly results: readonly CallersResult[]
}

interface Contestant {
  readonly name: string
  readonly server: ChatServer
}

interface Measured {
  readonly tokensPerSecond: number
  readonly streams: readonly StreamTimes[]
}

const WARM_UP_TOKENS = 16

/** Measures how many tokens a second callers get together, and how long each waits for its next one. */
export async function benchCallers(init: CallersInit): Promise<CallersReport> {
  const { path } = await fetchModel(parseModelReference(init.model), { dataDir: init.cacheDir })
  await using swarms = new AsyncDisposableStack()
  const contestants: Contestant[] = []
  for (const stages of init.stages) {
    init.log(`starting ${stages} stages`)
    const swarm = await startCallersSwarm(init, path, stages)
    swarms.defer(() => swarm.stop())
    contestants.push({ name: `stages-${stages}`, server: await serverAt(swarm.url) })
  }
  for (const [name, url] of init.beside) contestants.push({ name, server: await serverAt(url) })
  for (const { server } of contestants) await measure(server, Math.max(...init.callers), init, WARM_UP_TOKENS)
  const samples = new Map<string, Measured[]>()
  const loads: number[] = []
  for (let round = 1; round <= init.rounds; round++) {
    for (const callers of init.callers) {
      for (const { name, server } of contestants) {
        loads.push(loadavg()[0] ?? 0)
        const measured = await measure(server, callers, init, init.answerTokens)
        init.log(
          `round ${round}/${init.rounds} ${name.padEnd(12)} ${callers} callers: ${measured.tokensPerSecond.toFixed(1)} tok/s, load ${loads.at(-1)?.toFixed(1)}`
        )
        const key = JSON.stringify([name, callers])
        samples.set(key, [...(samples.get(key) ?? []), measured])
      }
    }
  }
  return {
    model: init.model,
    threads: init.threads,
    rounds: init.rounds,
    answerTokens: init.answerTokens,
    load: [Math.min(...loads), Math.max(...loads)],
    results: init.callers.flatMap(callers =>
      contestants.map(({ name }) => summarise(name, callers, samples.get(JSON.stringify([name, callers])) ?? []))
    )
  }
}

function startCallersSwarm(init: CallersInit, path: string, stages: number): Promise<Swarm> {
  return startSwarm({
    nodes: stages,
    stages,
    threads: init.threads,
    models: [`file:${path}`],
    coordinatorArgs: ['--context-length=1024', `--sessions=${Math.max(...init.callers)}`],
    nodeArgs: init.nodeArgs
  })
}

/** The server at `url`, and its first model. */
export async function serverAt(url: string): Promise<ChatServer> {
  const response = await fetch(`${url}/v1/models`)
  const list = (await response.json()) as { readonly data?: readonly { readonly id: string }[] }
  const [model] = list.data ?? []
  if (model === undefined) throw new MeshError('internal', `${url} serves no model`)
  return { url, model: model.id }
}

async function measure(
  server: ChatServer,
  callers: number,
  { promptWords }: CallersInit,
  answerTokens: number
): Promise<Measured> {
  const startedMs = performance.now()
  const streams = await Promise.all(
    Array.from({ length: callers }, (_, caller) => stream(server, promptOf(caller, promptWords), answerTokens))
  )
  const tokens = streams.reduce((sum, one) => sum + one.tokens, 0)
  return { tokensPerSecond: (1000 * tokens) / (performance.now() - startedMs), streams }
}

function summarise(name: string, callers: number, measured: readonly Measured[]): CallersResult {
  const speeds = measured.map(one => one.tokensPerSecond)
  const gaps = (share: number): number =>
    median(
      measured.map(({ streams }) =>
        percentile(
          streams.flatMap(one => one.gapsMs),
          share
        )
      )
    )
  return {
    name,
    callers,
    tokensPerSecond: median(speeds),
    range: [Math.min(...speeds), Math.max(...speeds)],
    gapP50Ms: gaps(0.5),
    gapP95Ms: gaps(0.95),
    firstTokenP50Ms: median(
      measured.map(({ streams }) =>
        percentile(
          streams.map(one => one.firstTokenMs),
          0.5
        )
      )
    )
  }
}
