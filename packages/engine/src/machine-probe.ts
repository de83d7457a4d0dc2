import type { AbortOptions, MeshError } from '@resultity/interface'
import { buildProbeGraph, type ProbeGraph } from '@resultity/model'
import { processTuning } from '@resultity/runtime-tuning'
import { Binding, RunOptions } from './capi/binding.ts'
import { GraphSession } from './capi/graph-session.ts'
import { getRuntime } from './capi/runtime.ts'
import { NativeTensor } from './capi/tensor.ts'
import type { EngineOptions } from './create-engine.ts'
import { median } from './median.ts'

/** The first runs wake threads and fault pages in. */
const WARM_UP_RUNS = 3
const RUNS = 9

export interface ProbeOptions extends AbortOptions, EngineOptions {}

/**
 * Milliseconds this machine takes to multiply one position by 100 million 4-bit weights, with that many threads: what
 * a node can say of itself before it holds a model.
 *
 * @throws MeshError `engine_failed` when the runtime does not start or the graph does not load
 */
export async function probeMachine(threads: number, options: ProbeOptions = {}): Promise<number> {
  const graph = buildProbeGraph()
  const tuning = processTuning(options.tuning ?? false)
  using session = await GraphSession.load(getRuntime(), { graph: graph.bytes, threads, spinning: false, tuning })
  const ms = await timeRuns(session, graph, options)
  return (ms * 100e6) / graph.weightCount
}

async function timeRuns(session: GraphSession, graph: ProbeGraph, options: AbortOptions): Promise<number> {
  const runtime = getRuntime()
  const shape = [1, 1, graph.width]
  using input = new NativeTensor(
    runtime,
    Float32Array.from({ length: graph.width }, (_, i) => Math.sin(i)),
    shape
  )
  using output = new NativeTensor(runtime, new Float32Array(graph.width), shape)
  using runOptions = new RunOptions(runtime)
  using binding = new Binding(runtime, session)
  binding.input(graph.input, input)
  binding.output(graph.output, output)
  const times: number[] = []
  for (let run = 0; run < WARM_UP_RUNS + RUNS; run++) {
    options.signal?.throwIfAborted()
    const start = performance.now()
    await runOnce(binding, runOptions)
    if (run >= WARM_UP_RUNS) times.push(performance.now() - start)
  }
  return median(times)
}

function runOnce(binding: Binding, runOptions: RunOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  binding.run(runOptions, (error: MeshError | undefined) => (error === undefined ? resolve() : reject(error)))
  return promise
}
