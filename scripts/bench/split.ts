import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { FileBlobStore } from '@resultity/blobs'
import { requireDecoder } from '@resultity/interface'
import { fetchModel, importModel, parseModelReference } from '@resultity/model'
import { ChildContestant } from './child-contestant.ts'
import { type Contestant, median, type ResidentMemory, type Sample, type Workload } from './contestant.ts'
import { FRAME_HEADER_BYTES_OF_WIRE, stageFrameBytes } from './frame-bytes.ts'
import { LlamaContestant } from './llama-contestant.ts'
import { llamaPrograms } from './llama-programs.ts'
import { SwarmContestant } from './swarm-contestant.ts'

export interface SplitInit {
  /** Model reference. */
  readonly model: string
  /** Models, conversions and llama.cpp are kept here between runs. */
  readonly cacheDir: string
  readonly threads: number
  readonly rounds: number
  readonly workload: Workload
  /** Contestants to leave out. */
  readonly without: ReadonlySet<string>
  readonly log: (line: string) => void
}

export interface SplitResult {
  readonly name: string
  /** Tokens per second, medians over the rounds. */
  readonly prefill: number
  readonly decode: number
  /** Milliseconds. */
  readonly firstToken: number
  readonly decodeRange: readonly [number, number]
  /**
   * Over the engine alone with spinning off: the median of each measurement's ratio to the mean of the engine's right
   * before and after it, for the machine's speed drifts within a round.
   */
  readonly decodeRatio: number
  readonly prefillRatio: number
  /** Of a token, beyond what the engine alone takes, per hop of the ring. */
  readonly hopMicroseconds?: number
}

export interface SplitReport {
  readonly model: string
  readonly threads: number
  readonly rounds: number
  readonly workload: Workload
  readonly results: SplitResult[]
  readonly bytesPerTokenPerHop: number
  readonly memory: ResidentMemory[]
  /** Decode speed of the engine alone by positions in the cache. */
  readonly decodeByContext: { readonly position: number; readonly decode: number }[]
}

/** The stage counts that are measured as real processes. */
const STAGE_COUNTS = [1, 2, 4]
const CONTEXT_POSITIONS = [128, 4096]
const CONTEXT_DECODE_TOKENS = 32
/** They take two seconds each, and the long context's speed scatters by a fifth. */
const CONTEXT_ROUNDS_MIN = 8

/** What the others are compared with. */
const BASE = 'engine'
const LLAMA = 'llama.cpp'

/** They warm code, pages and connections, and do not count: what runs once a token gets its machine code late. */
const WARM_UP_ROUNDS = 3
/** Memory is that of processes at rest: a stage gives back what it does not need after a second. */
const SETTLE_MS = 2500

/**
 * Measures one model alone and split, side by side: every round measures every contestant, so that whatever else the
 * machine does falls on all of them.
 */
export async function benchSplit(init: SplitInit): Promise<SplitReport> {
  const { cacheDir, threads, log } = init
  // its build may take a while, and no contestant shall run beside it
  const llama = init.without.has(LLAMA) ? undefined : await llamaPrograms({ cacheDir, jobs: threads, log })
  const { path } = await fetchModel(parseModelReference(init.model), { dataDir: init.cacheDir })
  const model = `file:${path}`
  const coordinatorData = join(init.cacheDir, 'bench-coordinator')
  const { manifest } = await importOnce(model, coordinatorData)
  const contextLength = Math.min(requireDecoder(manifest).config.contextLength, 4096 + CONTEXT_DECODE_TOKENS + 1)
  await using contestants = new AsyncDisposableStack()
  const field: Contestant[] = []
  const enter = async (name: string, start: () => Promise<Contestant>): Promise<void> => {
    if (init.without.has(name)) return
    init.log(`starting ${name}`)
    field.push(contestants.use(await start()))
  }

  const swarms: SwarmContestant[] = []
  for (const stages of STAGE_COUNTS) {
    await enter(`stages-${stages}`, async () => {
      const swarm = await SwarmContestant.start({
        stages,
        model,
        threads: init.threads,
        coordinatorData: await separateCoordinator(coordinatorData, model, stages),
        decodeTokens: init.workload.decodeTokens,
        contextLength: Math.min(contextLength, 1024)
      })
      swarms.push(swarm)
      return swarm
    })
  }
  let prompt: string | undefined
  for (const swarm of swarms) prompt = await swarm.calibrate(init.workload.promptTokens, prompt)
  const workload = { ...init.workload, promptTokens: swarms[0]?.promptTokens ?? init.workload.promptTokens }
  const engines = { engine: false, 'engine-spinning': true, 'engine-run-spinning': 'run' } as const
  const alone: Record<string, ChildContestant> = {}
  for (const [name, spinning] of Object.entries(engines)) {
    await enter(name, async () => {
      const child = await ChildContestant.start(
        name,
        { reference: model, dataDir: coordinatorData, spinning, threads: init.threads, contextLength },
        workload
      )
      alone[name] = child
      return child
    })
  }
  if (llama !== undefined) {
    await enter(LLAMA, async () => new LlamaContestant({ program: llama.bench, ggufPath: path, threads, workload }))
  }

  const samples = await measureRounds(field, init)
  await setTimeout(SETTLE_MS)
  const memory = (await Promise.all(field.map(contestant => contestant.memory()))).flat()
  return {
    model: init.model,
    threads: init.threads,
    rounds: init.rounds,
    workload,
    results: summarise(samples),
    bytesPerTokenPerHop: FRAME_HEADER_BYTES_OF_WIRE + stageFrameBytes(requireDecoder(manifest).config.hiddenSize),
    memory,
    decodeByContext: alone[BASE] === undefined ? [] : await measureContexts(alone[BASE], contextLength, init)
  }
}

async function importOnce(model: string, dataDir: string) {
  await using store = await FileBlobStore.open(dataDir)
  return await importModel(parseModelReference(model), { dataDir, store })
}

/** Each coordinator locks its data directory, so each swarm has one of its own. */
async function separateCoordinator(base: string, model: string, stages: number): Promise<string> {
  const dataDir = `${base}-${stages}`
  await importOnce(model, dataDir)
  return dataDir
}

/** A measurement, and those of the engine alone right before and after it. */
interface PairedSample {
  readonly sample: Sample
  readonly base: readonly Sample[]
}

/** Measures every contestant once a round, and the engine alone between each two of them. */
async function measureRounds(field: readonly Contestant[], init: SplitInit): Promise<Map<string, PairedSample[]>> {
  const samples = new Map<string, PairedSample[]>(field.map(({ name }) => [name, []]))
  const base = field.find(({ name }) => name === BASE)
  const others = field.filter(contestant => contestant !== base)
  const measure = async (contestant: Contestant, round: number): Promise<Sample> => {
    const sample = await contestant.measure()
    init.log(
      `round ${round}/${init.rounds} ${contestant.name.padEnd(20)} prefill ${sample.prefill.toFixed(1).padStart(7)}  decode ${sample.decode.toFixed(2).padStart(7)} tok/s`
    )
    return sample
  }
  for (let round = 1 - WARM_UP_ROUNDS; round < 1; round++) for (const one of field) await measure(one, round)
  for (let round = 1; round <= init.rounds; round++) {
    let before = base === undefined ? undefined : await measure(base, round)
    for (const contestant of others) {
      const sample = await measure(contestant, round)
      const after = base === undefined ? undefined : await measure(base, round)
      samples.get(contestant.name)?.push({ sample, base: [before, after].filter(one => one !== undefined) })
      if (before !== undefined) samples.get(BASE)?.push({ sample: before, base: [before] })
      before = after
    }
  }
  return samples
}

function summarise(samples: ReadonlyMap<string, readonly PairedSample[]>): SplitResult[] {
  return [...samples].map(([name, rows]) => {
    const decodes = rows.map(({ sample }) => sample.decode)
    const ratio = (speed: (sample: Sample) => number): number =>
      median(
        rows.filter(({ base }) => base.length > 0).map(({ sample, base }) => speed(sample) / mean(base.map(speed)))
      )
    const stages = Number(/^stages-(\d+)$/.exec(name)?.[1] ?? 0)
    const decode = median(decodes)
    const decodeRatio = ratio(sample => sample.decode)
    return {
      name,
      prefill: median(rows.map(({ sample }) => sample.prefill)),
      decode,
      firstToken: median(rows.map(({ sample }) => sample.firstTokenMs)),
      decodeRange: [Math.min(...decodes), Math.max(...decodes)] as const,
      decodeRatio,
      prefillRatio: ratio(sample => sample.prefill),
      ...(stages > 1 ? { hopMicroseconds: (1e6 / decode) * ((1 - decodeRatio) / stages) } : {})
    }
  })
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

async function measureContexts(engine: ChildContestant, contextLength: number, init: SplitInit) {
  const positions = CONTEXT_POSITIONS.filter(position => position + CONTEXT_DECODE_TOKENS + 1 <= contextLength)
  const decodes = await engine.decodeAt(positions, CONTEXT_DECODE_TOKENS, Math.max(init.rounds, CONTEXT_ROUNDS_MIN))
  return positions.map((position, index) => {
    const decode = decodes[index] ?? Number.NaN
    init.log(`decode at context ${position}: ${decode.toFixed(2)} tok/s`)
    return { position, decode }
  })
}
