import type { AbortOptions, MeshError } from '@resultity/interface'
import { buildProbeGraph, type ProbeGraph } from '@resultity/model'
import { Binding, GraphSession, getRuntime, NativeTensor, RunOptions } from '@resultity/onnx-runtime'
import { processTuning } from '@resultity/runtime-tuning'
import type { EngineOptions } from './create-engine.ts'
import { KernelDigest } from './kernel-digest.ts'
import { median } from './median.ts'
import { roundOtherwise } from './other-kernels.ts'

/** The first runs wake threads and fault pages in. */
const WARM_UP_RUNS = 3
const RUNS = 9

/** Kernels of one position are others than those of many. */
const POSITIONS = [1, 32]

/** What a node can say of its machine before it holds a model. */
export interface MachineProbe {
  /** Milliseconds to multiply one position by 100 million 4-bit weights, with the threads that were asked for. */
  readonly msPer100M: number
  /** SHA-256 of fixed results: the same on machines whose kernels agree, whatever their number of threads. */
  readonly kernels: string
}

export interface ProbeOptions extends AbortOptions, EngineOptions {}

/**
 * Measures how fast this machine multiplies by 4-bit weights, and to which bits.
 *
 * @throws MeshError `engine_failed` when the runtime does not start or the graph does not load
 */
export async function probeMachine(threads: number, options: ProbeOptions = {}): Promise<MachineProbe> {
  const graph = buildProbeGraph()
  const tuning = processTuning(options.tuning ?? false)
  using session = await GraphSession.load(getRuntime(), { graph: graph.bytes, threads, spinning: false, tuning })
  const digest = new KernelDigest()
  let msPer100M = 0
  for (const positions of POSITIONS) {
    const { ms, result } = await timeRuns(session, graph, positions, options)
    if (positions === 1) msPer100M = (ms * 100e6) / graph.weightCount
    digest.add(options.otherKernels === true ? roundOtherwise(result) : result)
  }
  return { msPer100M, kernels: digest.end() }
}

async function timeRuns(
  session: GraphSession,
  graph: ProbeGraph,
  positions: number,
  options: AbortOptions
): Promise<{ ms: number; result: Float32Array }> {
  const runtime = getRuntime()
  const shape = [1, positions, graph.width]
  const values = positions * graph.width
  using input = new NativeTensor(
    runtime,
    Float32Array.from({ length: values }, (_, i) => Math.sin(i)),
    shape
  )
  using output = new NativeTensor(runtime, new Float32Array(values), shape)
  using runOptions = new RunOptions(runtime)
  using binding = new Binding(runtime, session)
  binding.input(graph.input, input)
  binding.output(graph.output, output)
  const times: number[] = []
  const runs = positions === 1 ? WARM_UP_RUNS + RUNS : 1
  for (let run = 0; run < runs; run++) {
    options.signal?.throwIfAborted()
    const start = performance.now()
    await runOnce(binding, runOptions)
    if (run >= WARM_UP_RUNS) times.push(performance.now() - start)
  }
  return { ms: times.length === 0 ? 0 : median(times), result: output.data.slice() }
}

function runOnce(binding: Binding, runOptions: RunOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  binding.run(runOptions, (error: MeshError | undefined) => (error === undefined ? resolve() : reject(error)))
  return promise
}
