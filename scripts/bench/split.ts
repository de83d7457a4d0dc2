import { join } from 'node:path'
import { FileBlobStore, fetchModel, importModel, parseModelReference } from '@resultity/model'
import { ChildContestant } from './child-contestant.ts'
import { type Contestant, median, type ResidentMemory, type Sample, type Workload } from './contestant.ts'
import { FRAME_HEADER_BYTES_OF_WIRE, stageFrameBytes } from './frame-bytes.ts'
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
   * Over the engine alone with spinning off: the median of the rounds' own ratios, for what slows the machine for a while
   * slows a whole round.
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

/** They warm code, pages and connections, and do not count: what runs once a token gets its machine code late. */
const WARM_UP_ROUNDS = 3

/**
 * Measures one model alone and split, side by side: every round measures every contestant once, so that whatever else
 * the machine does falls on all of them.
 */
export async function benchSplit(init: SplitInit): Promise<SplitReport> {
  const { path } = await fetchModel(parseModelReference(init.model), { dataDir: init.cacheDir })
  const model = `file:${path}`
  const coordinatorData = join(init.cacheDir, 'bench-coordinator')
  const { manifest } = await importOnce(model, coordinatorData)
  const contextLength = Math.min(manifest.config.contextLength, 4096 + CONTEXT_DECODE_TOKENS + 1)
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
        { kind: 'engine', reference: model, dataDir: coordinatorData, spinning, threads: init.threads, contextLength },
        workload
      )
      alone[name] = child
      return child
    })
  }
  await enter('llama.cpp', () =>
    ChildContestant.start(
      'llama.cpp',
      { kind: 'llama.cpp', ggufPath: path, cacheDir: init.cacheDir, threads: init.threads },
      workload
    )
  )

  const samples = await measureRounds(field, init)
  const memory = (await Promise.all(field.map(contestant => contestant.memory()))).flat()
  return {
    model: init.model,
    threads: init.threads,
    rounds: init.rounds,
    workload,
    results: summarise(samples),
    bytesPerTokenPerHop: FRAME_HEADER_BYTES_OF_WIRE + stageFrameBytes(manifest.config.hiddenSize),
    memory,
    decodeByContext: alone.engine === undefined ? [] : await measureContexts(alone.engine, contextLength, init)
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

async function measureRounds(field: readonly Contestant[], init: SplitInit): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(field.map(({ name }) => [name, []]))
  for (let round = 1 - WARM_UP_ROUNDS; round <= init.rounds; round++) {
    for (const contestant of field) {
      const sample = await contestant.measure()
      if (round > 0) samples.get(contestant.name)?.push(sample)
      init.log(
        `round ${round}/${init.rounds} ${contestant.name.padEnd(20)} prefill ${sample.prefill.toFixed(1).padStart(7)}  decode ${sample.decode.toFixed(2).padStart(7)} tok/s`
      )
    }
  }
  return samples
}

function summarise(samples: ReadonlyMap<string, readonly Sample[]>): SplitResult[] {
  const decodeOf = (name: string): number => median((samples.get(name) ?? []).map(sample => sample.decode))
  const base = samples.get('engine') ?? []
  const baseDecode = decodeOf('engine')
  const ratio = (rows: readonly Sample[], speed: (sample: Sample) => number): number =>
    median(rows.flatMap((sample, round) => (base[round] === undefined ? [] : [speed(sample) / speed(base[round])])))
  return [...samples].map(([name, rows]) => {
    const decodes = rows.map(sample => sample.decode)
    const decode = median(decodes)
    const prefill = median(rows.map(sample => sample.prefill))
    const stages = Number(/^stages-(\d+)$/.exec(name)?.[1] ?? 0)
    return {
      name,
      prefill,
      decode,
      firstToken: median(rows.map(sample => sample.firstTokenMs)),
      decodeRange: [Math.min(...decodes), Math.max(...decodes)] as const,
      decodeRatio: ratio(rows, sample => sample.decode),
      prefillRatio: ratio(rows, sample => sample.prefill),
      ...(stages > 1 ? { hopMicroseconds: (1e6 / decode - 1e6 / baseDecode) / stages } : {})
    }
  })
}

async function measureContexts(engine: ChildContestant, contextLength: number, init: SplitInit) {
  const rows: { position: number; decode: number }[] = []
  for (const position of CONTEXT_POSITIONS) {
    if (position + CONTEXT_DECODE_TOKENS + 1 > contextLength) continue
    const { decode } = await engine.decodeAt(position, CONTEXT_DECODE_TOKENS)
    init.log(`decode at context ${position}: ${decode.toFixed(2)} tok/s`)
    rows.push({ position, decode })
  }
  return rows
}
