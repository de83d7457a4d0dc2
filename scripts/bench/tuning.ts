import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { FileBlobStore } from '@resultity/blobs'
import { MeshError, requireDecoder, type TuningMeasure, tuningMeasures } from '@resultity/interface'
import { fetchModel, importModel, parseModelReference } from '@resultity/model'
import { median, type Sample, type Workload } from './contestant.ts'
import { SwarmContestant } from './swarm-contestant.ts'

/** What is left out: one measure, or all of them. */
export type LeftOut = TuningMeasure | 'all'

export interface TuningBenchInit {
  /** Model reference. */
  readonly model: string
  /** Models and conversions are kept here between runs. */
  readonly cacheDir: string
  readonly threads: number
  /** How often each is left out, at each number of stages. */
  readonly rounds: number
  readonly workload: Workload
  /** What to leave out; everything in turn when empty. */
  readonly only: ReadonlySet<string>
  readonly log: (line: string) => void
}

/** Figures of one set of processes. Speeds are tokens a second. */
interface SwarmFigures {
  readonly decode: number
  readonly prefill: number
  /** Resident memory of all nodes at rest. */
  readonly nodeBytes: number
  readonly coordinatorBytes: number
}

/** A figure without a measure, compared with the same figure with all of them. */
export interface Comparison {
  /** With all measures: the median of the rounds. */
  readonly on: number
  /** Without it, divided by the figure with it: the median of the rounds, the least and the greatest. */
  readonly ratio: number
  readonly ratioRange: readonly [number, number]
}

export interface TuningCost {
  readonly leftOut: LeftOut
  readonly stages: number
  readonly decode: Comparison
  readonly prefill: Comparison
  readonly nodeBytes: Comparison
  readonly coordinatorBytes: Comparison
}

export interface TuningReport {
  readonly model: string
  readonly threads: number
  readonly rounds: number
  readonly workload: Workload
  readonly costs: readonly TuningCost[]
}

const STAGE_COUNTS = [1, 3]
const WARM_UP_SAMPLES = 3
/** Of one set of processes; their median counts. */
const SAMPLES = 3
/** Memory is that of processes at rest: a stage gives back what it does not need after a second. */
const SETTLE_MS = 2500
const CONTEXT_LENGTH_MAX = 1024

/**
 * Measures what each measure brings: processes that take all measures, then others that leave one out, in turns. Each set
 * of processes is new, because two sets of the same code differ by some percent for as long as they live.
 */
export async function benchTuning(init: TuningBenchInit): Promise<TuningReport> {
  const candidates = candidatesOf(init.only)
  const { path } = await fetchModel(parseModelReference(init.model), { dataDir: init.cacheDir })
  const bench = await TuningBench.open({ ...init, model: `file:${path}` })
  const costs: TuningCost[] = []
  for (const stages of STAGE_COUNTS) {
    const pairs = new Map<LeftOut, Pair[]>(candidates.map(leftOut => [leftOut, []]))
    let before = await bench.measure(stages)
    for (let round = 1; round <= init.rounds; round++) {
      for (const [leftOut, rows] of pairs) {
        init.log(`round ${round}/${init.rounds}, stages ${stages}: without ${leftOut}`)
        const off = await bench.measure(stages, leftOut)
        const after = await bench.measure(stages)
        rows.push({ off, on: [before, after] })
        before = after
      }
    }
    for (const [leftOut, rows] of pairs) costs.push({ leftOut, stages, ...compareAll(rows) })
  }
  const { model, threads, rounds, workload } = init
  return { model, threads, rounds, workload, costs }
}

function candidatesOf(only: ReadonlySet<string>): LeftOut[] {
  const all: LeftOut[] = [...tuningMeasures, 'all']
  const unknown = [...only].filter(name => !all.some(leftOut => leftOut === name))
  if (unknown.length > 0) {
    throw new MeshError('invalid_request', `there is no measure ${unknown.join(', ')}`, {
      hint: `the measures are ${all.join(', ')}`
    })
  }
  return only.size === 0 ? all : all.filter(leftOut => only.has(leftOut))
}

/** Processes without a measure, and those with it that ran right before and right after them. */
interface Pair {
  readonly off: SwarmFigures
  readonly on: readonly SwarmFigures[]
}

function compareAll(pairs: readonly Pair[]): Omit<TuningCost, 'leftOut' | 'stages'> {
  const compare = (figure: (figures: SwarmFigures) => number): Comparison => {
    const means = pairs.map(({ on }) => on.reduce((sum, one) => sum + figure(one), 0) / on.length)
    const ratios = pairs.map(({ off }, index) => figure(off) / (means[index] ?? Number.NaN))
    return {
      on: median(means),
      ratio: median(ratios),
      ratioRange: [Math.min(...ratios), Math.max(...ratios)]
    }
  }
  return {
    decode: compare(figures => figures.decode),
    prefill: compare(figures => figures.prefill),
    nodeBytes: compare(figures => figures.nodeBytes),
    coordinatorBytes: compare(figures => figures.coordinatorBytes)
  }
}

class TuningBench {
  readonly #init: TuningBenchInit
  /** The data directory of a coordinator that has the model. */
  readonly #imported: string
  readonly #contextLength: number
  /** The first set of processes looks for it, the others take it. */
  #prompt: string | undefined

  private constructor(init: TuningBenchInit, imported: string, contextLength: number) {
    this.#init = init
    this.#imported = imported
    this.#contextLength = contextLength
  }

  static async open(init: TuningBenchInit): Promise<TuningBench> {
    const dataDir = join(init.cacheDir, 'bench-coordinator-tuning')
    await using store = await FileBlobStore.open(dataDir)
    const { manifest } = await importModel(parseModelReference(init.model), { dataDir, store })
    return new TuningBench(init, dataDir, Math.min(requireDecoder(manifest).config.contextLength, CONTEXT_LENGTH_MAX))
  }

  async measure(stages: number, leftOut?: LeftOut): Promise<SwarmFigures> {
    const { model, threads, workload } = this.#init
    // imported anew with one stage: what the import leaves in the coordinator's memory counts
    const coordinatorData = stages === 1 ? await mkdtemp(join(tmpdir(), 'resultity-bench-')) : this.#imported
    try {
      await using swarm = await SwarmContestant.start({
        stages,
        model,
        threads,
        coordinatorData,
        decodeTokens: workload.decodeTokens,
        contextLength: this.#contextLength,
        tuning: settingOf(leftOut)
      })
      this.#prompt = await swarm.calibrate(workload.promptTokens, this.#prompt)
      return await this.#figures(swarm, leftOut)
    } finally {
      if (stages === 1) await rm(coordinatorData, { recursive: true, force: true })
    }
  }

  async #figures(swarm: SwarmContestant, leftOut: LeftOut | undefined): Promise<SwarmFigures> {
    const samples: Sample[] = []
    for (let count = -WARM_UP_SAMPLES; count < SAMPLES; count++) {
      const sample = await swarm.measure()
      if (count >= 0) samples.push(sample)
    }
    await setTimeout(SETTLE_MS)
    const [coordinator, ...nodes] = await swarm.memory()
    const figures = {
      decode: median(samples.map(({ decode }) => decode)),
      prefill: median(samples.map(({ prefill }) => prefill)),
      nodeBytes: nodes.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
      coordinatorBytes: coordinator?.residentBytes ?? Number.NaN
    }
    const { decode, prefill } = figures
    this.#init.log(
      `${swarm.name}, without ${leftOut ?? 'nothing'}: prefill ${prefill.toFixed(1)} decode ${decode.toFixed(2)} tok/s`
    )
    return figures
  }
}

/** As `--tuning` takes it. */
function settingOf(leftOut: LeftOut | undefined): string {
  if (leftOut === undefined) return 'on'
  return leftOut === 'all' ? 'off' : `off=${leftOut}`
}
