import { setTimeout } from 'node:timers/promises'
import { MeshError } from '@resultity/interface'
import { fetchModel, parseModelReference } from '@resultity/model'
import { startSwarm } from '@resultity/testkit'
import { Batch, type PlannedRequest, planRequests, type RequestOutcome, sendAll } from './fairness-load.ts'
import { percentile } from './percentile.ts'

export interface FairnessInit {
  /** Model reference. */
  readonly model: string
  /** Models are kept here between runs. */
  readonly cacheDir: string
  readonly stages: number
  readonly threads: number
  readonly rounds: number
  /** Of interactive load, in each phase of a round. */
  readonly seconds: number
  /** Interactive requests a second, on average. */
  readonly rate: number
  readonly lines: number
  readonly log: (line: string) => void
}

/** What interactive requests waited for their first token. */
export interface FirstTokens {
  readonly requests: number
  readonly failed: number
  readonly p50Ms: number
  readonly p95Ms: number
}

export interface FairnessReport {
  readonly model: string
  readonly stages: number
  readonly threads: number
  readonly rounds: number
  readonly ratePerSecond: number
  readonly lines: number
  readonly alone: FirstTokens
  readonly withBatch: FirstTokens
  /** With the batch over alone. */
  readonly ratio: { readonly p50: number; readonly p95: number }
  /** The p95 of each round, alone and with the batch. */
  readonly roundsP95Ms: readonly (readonly [alone: number, withBatch: number])[]
  readonly batch: {
    readonly linesPerSecondAlone: number
    readonly linesPerSecondShared: number
    readonly completed: number
    readonly failed: number
  }
}

/** One round: the same requests alone and beside a batch, then the batch alone. */
interface Round {
  readonly alone: readonly RequestOutcome[]
  readonly withBatch: readonly RequestOutcome[]
  readonly shared: Stretch
  readonly batchAlone: Stretch
  readonly completed: number
  readonly failed: number
}

/** Lines that were answered within a time. */
interface Stretch {
  readonly lines: number
  readonly seconds: number
}

const SEED = 0x5eed
const INTERACTIVE_TOKENS = 12
const BATCH_TOKENS = 24
/** Beside the answered lines, the batch is at its pace. */
const WARM_LINES = 3

/** Measures what a batch costs whoever asks meanwhile, on a swarm of processes. Rounds are interleaved. */
export async function benchFairness(init: FairnessInit): Promise<FairnessReport> {
  const { stages, threads, log } = init
  const { path } = await fetchModel(parseModelReference(init.model), { dataDir: init.cacheDir })
  log('starting a swarm')
  await using swarm = await startSwarm({ nodes: stages, stages, threads, models: [`file:${path}`] })
  const [model] = await swarm.api.models()
  if (model === undefined) throw new MeshError('internal', 'the swarm serves no model')
  log('warming up')
  await sendAll(planRequests(1, 5, init.rate), { url: swarm.url, model: model.id, answerTokens: INTERACTIVE_TOKENS })
  const rounds: Round[] = []
  for (let round = 1; round <= init.rounds; round++) {
    const measured = await measureRound(swarm.url, model.id, planRequests(SEED + round, init.seconds, init.rate), init)
    const [alone, withBatch] = [firstTokens(measured.alone), firstTokens(measured.withBatch)]
    log(
      `round ${round}/${init.rounds}: ${alone.requests} requests, p95 ${alone.p95Ms.toFixed(0)} ms alone and ` +
        `${withBatch.p95Ms.toFixed(0)} beside ${perSecond([measured.shared]).toFixed(1)} lines/s`
    )
    for (const outcome of [...measured.alone, ...measured.withBatch]) {
      if ('failure' in outcome) log(`a request failed: ${outcome.failure}`)
    }
    rounds.push(measured)
  }
  return summarise(rounds, init)
}

async function measureRound(
  url: string,
  model: string,
  planned: readonly PlannedRequest[],
  { lines, seconds }: FairnessInit
): Promise<Round> {
  const load = { url, model, answerTokens: INTERACTIVE_TOKENS }
  const alone = await sendAll(planned, load)
  const batch = await Batch.create({ url, model, lines, answerTokens: BATCH_TOKENS })
  await batch.untilCompleted(WARM_LINES)
  const { outcome: withBatch, ...shared } = await stretch(batch, () => sendAll(planned, load))
  const { outcome: _, ...batchAlone } = await stretch(batch, () => setTimeout((1000 * seconds) / 2))
  const { completed, failed } = await batch.progress()
  await batch.cancel()
  return { alone, withBatch, shared, batchAlone, completed, failed }
}

async function stretch<T>(batch: Batch, during: () => Promise<T>): Promise<Stretch & { readonly outcome: T }> {
  const before = await batch.progress()
  const startedMs = performance.now()
  const outcome = await during()
  const after = await batch.progress()
  return { outcome, lines: after.completed - before.completed, seconds: (performance.now() - startedMs) / 1000 }
}

function summarise(rounds: readonly Round[], init: FairnessInit): FairnessReport {
  const alone = firstTokens(rounds.flatMap(round => round.alone))
  const withBatch = firstTokens(rounds.flatMap(round => round.withBatch))
  return {
    model: init.model,
    stages: init.stages,
    threads: init.threads,
    rounds: init.rounds,
    ratePerSecond: init.rate,
    lines: init.lines,
    alone,
    withBatch,
    ratio: { p50: withBatch.p50Ms / alone.p50Ms, p95: withBatch.p95Ms / alone.p95Ms },
    roundsP95Ms: rounds.map(round => [firstTokens(round.alone).p95Ms, firstTokens(round.withBatch).p95Ms]),
    batch: {
      linesPerSecondAlone: perSecond(rounds.map(round => round.batchAlone)),
      linesPerSecondShared: perSecond(rounds.map(round => round.shared)),
      completed: rounds.reduce((sum, round) => sum + round.completed, 0),
      failed: rounds.reduce((sum, round) => sum + round.failed, 0)
    }
  }
}

function firstTokens(outcomes: readonly RequestOutcome[]): FirstTokens {
  const times = outcomes.flatMap(outcome => ('firstTokenMs' in outcome ? [outcome.firstTokenMs] : []))
  return {
    requests: outcomes.length,
    failed: outcomes.length - times.length,
    p50Ms: percentile(times, 0.5),
    p95Ms: percentile(times, 0.95)
  }
}

function perSecond(stretches: readonly Stretch[]): number {
  const lines = stretches.reduce((sum, stretch) => sum + stretch.lines, 0)
  return lines / stretches.reduce((sum, stretch) => sum + stretch.seconds, 0)
}
