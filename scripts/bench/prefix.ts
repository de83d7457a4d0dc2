import { loadavg } from 'node:os'
import { fetchModel, parseModelReference } from '@resultity/model'
import { startSwarm } from '@resultity/testkit'
import { serverAt } from './callers.ts'
import { type ChatServer, type ChatTurn, promptOf, streamChat } from './callers-load.ts'
import { median } from './contestant.ts'

export interface PrefixInit {
  /** Model reference. */
  readonly model: string
  /** Models are kept here between runs. */
  readonly cacheDir: string
  /** A swarm of so many stages each. */
  readonly stages: readonly number[]
  readonly threads: number
  readonly rounds: number
  /** Of the first turn, about. */
  readonly promptTokens: number
  readonly log: (line: string) => void
}

/** Medians over the rounds; times are those to the first token. */
export interface PrefixResult {
  readonly name: string
  /** Tokens of the second turn's prompt, and those of them that the stages had kept. */
  readonly promptTokens: number
  readonly cachedTokens: number
  /** Of a second turn whose first turn nobody has asked for. */
  readonly coldMs: number
  readonly warmMs: number
  /** Of each round's warm to its cold. */
  readonly ratio: number
}

export interface PrefixReport {
  readonly model: string
  readonly threads: number
  readonly rounds: number
  /** Processes that wanted a core, by the system's own mean over a minute: the least and the most of all rounds. */
  readonly load: readonly [number, number]
  readonly results: readonly PrefixResult[]
}

interface Round {
  readonly cold: Measured
  readonly warm: Measured
}

type Measured = Awaited<ReturnType<typeof streamChat>>

const ANSWER_TOKENS = 16
const CALIBRATION_WORDS = 100
/** Rounds that warm code and pages, and do not count. */
const WARM_UP_ROUNDS = 1

/** Measures the time to the first token of a second turn, with and without the first turn before it, in turns. */
export async function benchPrefix(init: PrefixInit): Promise<PrefixReport> {
  const { path } = await fetchModel(parseModelReference(init.model), { dataDir: init.cacheDir })
  const results: PrefixResult[] = []
  const loads: number[] = []
  for (const stages of init.stages) {
    init.log(`starting ${stages} stages`)
    const coordinatorArgs = [`--context-length=${init.promptTokens * 2}`]
    const swarm = { nodes: stages, stages, threads: init.threads, models: [`file:${path}`], coordinatorArgs }
    await using running = await startSwarm(swarm)
    const server = await serverAt(running.url)
    const words = await wordsOf(server, init.promptTokens)
    const rounds: Round[] = []
    for (let round = 1 - WARM_UP_ROUNDS; round <= init.rounds; round++) {
      const measured = await measure(server, round, words)
      const { cold, warm } = measured
      loads.push(loadavg()[0] ?? 0)
      init.log(
        `round ${round}/${init.rounds} ${stages} stages: cold ${cold.firstTokenMs.toFixed(0)} ms, warm ${warm.firstTokenMs.toFixed(0)} ms, ${warm.cachedTokens} of ${warm.promptTokens} tokens kept, load ${loads.at(-1)?.toFixed(1)}`
      )
      if (round > 0) rounds.push(measured)
    }
    results.push(summarise(`stages-${stages}`, rounds))
  }
  const { model, threads, rounds } = init
  return { model, threads, rounds, load: [Math.min(...loads), Math.max(...loads)], results }
}

/** Words of a prompt of so many tokens. */
async function wordsOf(server: ChatServer, promptTokens: number): Promise<number> {
  const [few, many] = [
    await streamChat(server, turns(0, 1), 1),
    await streamChat(server, turns(0, CALIBRATION_WORDS), 1)
  ]
  const tokensPerWord = (many.promptTokens - few.promptTokens) / (CALIBRATION_WORDS - 1)
  return Math.round(1 + (promptTokens - few.promptTokens) / tokensPerWord)
}

async function measure(server: ChatServer, round: number, words: number): Promise<Round> {
  // no two conversations begin alike
  const [kept, unknown] = [2 * (round + WARM_UP_ROUNDS) + 1, 2 * (round + WARM_UP_ROUNDS) + 2]
  const first = await streamChat(server, turns(kept, words), ANSWER_TOKENS)
  const next: readonly ChatTurn[] = [
    { role: 'assistant', content: first.text },
    { role: 'user', content: 'And what came after that?' }
  ]
  const warm = await streamChat(server, [...turns(kept, words), ...next], ANSWER_TOKENS)
  const cold = await streamChat(server, [...turns(unknown, words), ...next], ANSWER_TOKENS)
  return { cold, warm }
}

function turns(conversation: number, words: number): ChatTurn[] {
  return [{ role: 'user', content: `${conversation}. ${promptOf(conversation, words)}` }]
}

function summarise(name: string, rounds: readonly Round[]): PrefixResult {
  const of = (value: (round: Round) => number): number => median(rounds.map(value))
  return {
    name,
    promptTokens: of(({ warm }) => warm.promptTokens),
    cachedTokens: of(({ warm }) => warm.cachedTokens),
    coldMs: of(({ cold }) => cold.firstTokenMs),
    warmMs: of(({ warm }) => warm.firstTokenMs),
    ratio: of(({ cold, warm }) => warm.firstTokenMs / cold.firstTokenMs)
  }
}
