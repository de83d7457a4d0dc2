import { type AbortOptions, layerCount, type Scheduler, systemScheduler } from '@resultity/interface'
import { KernelDigest } from './kernel-digest.ts'
import { median } from './median.ts'
import type { Stage, StageSession } from './port.ts'

/** What a stage's runs cost on this machine as it is now, other load included. */
export interface StageMeasurement {
  /** Milliseconds of one decode step on one layer. */
  readonly decodeMsPerLayer: number
  /** Milliseconds of one position of a prefill on one layer. */
  readonly prefillMsPerPositionLayer: number
  /** Milliseconds of one decode step outside the layers: the head on the last stage. */
  readonly fixedMs: number
  /** SHA-256 of the results: of two machines with the same layers of a model, the same where their kernels agree on it. */
  readonly digest: string
}

export interface MeasureOptions extends AbortOptions {
  /** By whose time. Default: the machine's. */
  readonly scheduler?: Scheduler
}

/** A short chunk and a few steps: some tens of milliseconds for a small stage, a second or two for a large one. */
const PREFILL_POSITIONS = 64
const PREFILL_RUNS = 3
const DECODE_RUNS = 16

/**
 * Times a few runs of a session of its own.
 *
 * The head cannot be timed apart from the layers, so a step's time is shared out by the weights each multiplies.
 *
 * @throws MeshError `resource_exhausted` when no session is free, and what a run throws
 */
export async function measureStage(stage: Stage, options: MeasureOptions = {}): Promise<StageMeasurement> {
  const positions = Math.min(PREFILL_POSITIONS, Math.max(1, stage.contextLength - 1))
  using session = stage.open({ positionsMax: Math.min(stage.contextLength, positions + DECODE_RUNS) })
  session.warm?.()
  const digest = new KernelDigest()
  const prefillMs: number[] = []
  for (let run = 0; run < PREFILL_RUNS; run++) {
    session.truncate(0)
    const { ms, result } = await timeRun(stage, session, positions, options)
    prefillMs.push(ms)
    digest.add(result)
  }
  const decodeMs: number[] = []
  const steps = Math.min(DECODE_RUNS, stage.contextLength - session.position)
  for (let step = 0; step < steps; step++) {
    const { ms, result } = await timeRun(stage, session, 1, options)
    decodeMs.push(ms)
    digest.add(result)
  }
  const layers = layerCount(stage.range)
  const stepMs = decodeMs.length === 0 ? median(prefillMs) / positions : median(decodeMs)
  return {
    decodeMsPerLayer: (stepMs * stage.layersShare) / layers,
    prefillMsPerPositionLayer: median(prefillMs) / (positions * layers),
    fixedMs: stepMs * (1 - stage.layersShare),
    digest: digest.end()
  }
}

async function timeRun(
  stage: Stage,
  session: StageSession,
  count: number,
  options: MeasureOptions
): Promise<{ ms: number; result: Float32Array }> {
  const { scheduler = systemScheduler, ...run } = options
  const input = stage.first
    ? Uint32Array.from({ length: count }, (_, index) => index % stage.vocabularySize)
    : Float32Array.from({ length: count * stage.hiddenSize }, (_, index) => Math.sin(index))
  const start = scheduler.monotonic()
  const result = await session.run(input, run)
  return { ms: scheduler.monotonic() - start, result }
}
