import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MeshError } from '@resultity/interface'
import { fetchModel, parseModelReference } from '@resultity/model'
import { startSwarm } from '@resultity/testkit'
import { median, type Sample, type Workload } from './contestant.ts'
import { SwarmContestant } from './swarm-contestant.ts'

export interface OverheadInit {
  readonly model: string
  readonly cacheDir: string
  /** Directory of another checkout, which is installed and built. */
  readonly against: string
  readonly stages: number
  readonly threads: number
  readonly rounds: number
  readonly workload: Workload
  readonly log: (line: string) => void
}

/** Of this version and the other one: medians, in tokens a second. */
export interface OverheadReport {
  readonly model: string
  readonly against: string
  readonly stages: number
  readonly rounds: number
  readonly decode: { readonly ours: number; readonly theirs: number }
  readonly prefill: { readonly ours: number; readonly theirs: number }
  /** Ours over theirs, in rounds that follow each other: the median, the least and the greatest. */
  readonly decodeRatio: readonly [median: number, min: number, max: number]
  readonly prefillRatio: readonly [median: number, min: number, max: number]
}

/** They warm code, pages and connections, and do not count. */
const WARM_UP_ROUNDS = 3

/** What this version costs, or brings, an answer that nobody disturbs, against another version, in turns. */
export async function benchOverhead(init: OverheadInit): Promise<OverheadReport> {
  const { model, against, stages, rounds, workload, log } = init
  await using ours = await start(init, 'ours', startSwarm)
  await using theirs = await start(init, 'theirs', await starterOf(against))
  const prompt = await ours.calibrate(workload.promptTokens)
  await theirs.calibrate(workload.promptTokens, prompt)
  const pairs: { readonly ours: Sample; readonly theirs: Sample }[] = []
  for (let round = 1 - WARM_UP_ROUNDS; round <= rounds; round++) {
    // who is first takes turns, so that a machine that becomes slower favours neither
    const first = round % 2 === 0 ? await ours.measure() : undefined
    const theirSample = await theirs.measure()
    const pair = { ours: first ?? (await ours.measure()), theirs: theirSample }
    if (round < 1) continue
    pairs.push(pair)
    log(`round ${round}/${rounds}: ${pair.ours.decode.toFixed(2)} tok/s here, ${pair.theirs.decode.toFixed(2)} there`)
  }
  return {
    model,
    against,
    stages,
    rounds,
    decode: both(pairs, ({ decode }) => decode),
    prefill: both(pairs, ({ prefill }) => prefill),
    decodeRatio: ratio(pairs, ({ decode }) => decode),
    prefillRatio: ratio(pairs, ({ prefill }) => prefill)
  }
}

/** The report as lines for a terminal. */
export function renderOverhead({ model, against, stages, ...report }: OverheadReport): string {
  const line = (name: 'decode' | 'prefill'): string => {
    const { ours, theirs } = report[name]
    const [middle, min, max] = report[`${name}Ratio`].map(value => `${(100 * (value - 1)).toFixed(1)} %`)
    return `${name}: ${ours.toFixed(1)} tok/s here, ${theirs.toFixed(1)} there: ${middle} (${min} to ${max})`
  }
  return [`${model} in ${stages} stages, against ${against}`, line('decode'), line('prefill'), ''].join('\n')
}

async function start(init: OverheadInit, name: string, startSwarmOf: typeof startSwarm): Promise<SwarmContestant> {
  const { cacheDir, stages, threads, workload, log } = init
  const { path } = await fetchModel(parseModelReference(init.model), { dataDir: cacheDir })
  log(`starting ${stages} stages: ${name}`)
  return await SwarmContestant.start({
    stages,
    model: `file:${path}`,
    threads,
    coordinatorData: join(cacheDir, `bench-overhead-${name}`),
    decodeTokens: workload.decodeTokens,
    contextLength: 1024,
    startSwarm: startSwarmOf
  })
}

/** Its own testkit knows the arguments of its daemons. @throws MeshError `settings_invalid` */
async function starterOf(directory: string): Promise<typeof startSwarm> {
  const path = resolve(directory, 'packages/testkit/dist/src/index.js')
  try {
    const testkit: { startSwarm: typeof startSwarm } = await import(pathToFileURL(path).href)
    return testkit.startSwarm
  } catch (cause) {
    throw new MeshError('settings_invalid', `${directory} is no checkout that is built`, {
      hint: 'Run "npm ci" and "npm run build" there.',
      cause
    })
  }
}

type Pairs = readonly { readonly ours: Sample; readonly theirs: Sample }[]

function both(pairs: Pairs, of: (sample: Sample) => number) {
  return { ours: median(pairs.map(({ ours }) => of(ours))), theirs: median(pairs.map(({ theirs }) => of(theirs))) }
}

function ratio(pairs: Pairs, of: (sample: Sample) => number): [number, number, number] {
  const ratios = pairs.map(({ ours, theirs }) => of(ours) / of(theirs))
  return [median(ratios), Math.min(...ratios), Math.max(...ratios)]
}
