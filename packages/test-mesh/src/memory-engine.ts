import {
  type BarkVoice,
  BatchGate,
  type Encoder,
  type Engine,
  type PictureReader,
  RunQueue,
  type SessionInit,
  SessionTurns,
  ShapedStage,
  type SpeechModel,
  type Stage,
  type StageInit,
  type StageSession,
  StageShape,
  type Voice
} from '@resultity/engine'
import {
  type AbortOptions,
  type Captioner,
  type DiffusionModel,
  formatRange,
  MeshError,
  type Scheduler,
  systemScheduler
} from '@resultity/interface'
import { MemoryRows } from './memory-rows.ts'
import { MemorySession } from './memory-session.ts'

export interface MemoryEngineInit {
  /** Whose time runs take. Default: the machine's. */
  readonly scheduler?: Scheduler
  /** How long a run takes on one layer, for each of its positions; asked for every run. Default: a hundredth. */
  readonly positionLayerMs?: () => number
}

/**
 * An engine that computes with whole numbers instead of weights: fast, and exact wherever the model is cut. What each
 * token is depends on all before it, so a position that was lost, doubled or moved shows in all that follow. Turns,
 * slots and limits are those of the real engines.
 */
export class MemoryEngine implements Engine {
  readonly #scheduler: Scheduler
  readonly #positionLayerMs: () => number
  readonly #gate: BatchGate

  constructor({ scheduler = systemScheduler, positionLayerMs = () => 0.01 }: MemoryEngineInit = {}) {
    this.#scheduler = scheduler
    this.#positionLayerMs = positionLayerMs
    this.#gate = new BatchGate(() => scheduler.monotonic())
  }

  /** @throws MeshError `invalid_request`; the reason of the signal */
  async loadStage(init: StageInit, { signal }: AbortOptions = {}): Promise<Stage> {
    signal?.throwIfAborted()
    const { range, manifest } = init
    if (range.first < 0 || range.end <= range.first || range.end > manifest.config.layerCount) {
      throw new MeshError('invalid_request', `${manifest.name} has no layers ${formatRange(range)}`)
    }
    return new MemoryStage(init, new StageShape(init), {
      scheduler: this.#scheduler,
      gate: this.#gate,
      positionLayerMs: this.#positionLayerMs
    })
  }

  /** @throws MeshError `engine_failed`: it has none */
  async loadEncoder(): Promise<Encoder> {
    throw decodersOnly()
  }

  /** @throws MeshError `engine_failed`: it has none */
  async loadSpeech(): Promise<SpeechModel> {
    throw decodersOnly()
  }

  /** @throws MeshError `engine_failed`: it has none */
  async loadVoice(): Promise<Voice> {
    throw decodersOnly()
  }

  /** @throws MeshError `engine_failed`: it has none */
  async loadBark(): Promise<BarkVoice> {
    throw decodersOnly()
  }

  /** @throws MeshError `engine_failed`: it has none */
  async loadDiffusion(): Promise<DiffusionModel> {
    throw decodersOnly()
  }

  /** @throws MeshError `engine_failed`: it has none */
  async loadPictureReader(): Promise<PictureReader> {
    throw decodersOnly()
  }

  /** @throws MeshError `engine_failed`: it has none */
  async loadCaptioner(): Promise<Captioner> {
    throw decodersOnly()
  }
}

function decodersOnly(): MeshError {
  return new MeshError('engine_failed', 'the engine in memory runs decoders only')
}

interface StageContext {
  readonly scheduler: Scheduler
  readonly gate: BatchGate
  readonly positionLayerMs: () => number
}

class MemoryStage extends ShapedStage implements Stage {
  readonly #init: StageInit
  readonly #shape: StageShape
  readonly #context: StageContext
  readonly #queue: RunQueue
  readonly #rows: MemoryRows
  readonly #sessions = new Set<StageSession>()
  #closing: Promise<void> | undefined

  constructor(init: StageInit, shape: StageShape, context: StageContext) {
    super(shape)
    this.#init = init
    this.#shape = shape
    this.#context = context
    this.#queue = new RunQueue(context.gate, context.scheduler)
    this.#rows = new MemoryRows(shape.range, shape.sessionsMax, () => context.gate.now())
  }

  get sessionsOpen(): number {
    return this.#sessions.size
  }

  open(init: SessionInit): StageSession {
    if (this.#closing !== undefined) throw new MeshError('unavailable', `stage ${formatRange(this.range)} is closed`)
    this.#shape.admitSession(init.positionsMax)
    if (this.#sessions.size >= this.sessionsMax) {
      throw new MeshError('resource_exhausted', `all ${this.sessionsMax} sessions of this stage are open`)
    }
    const { gate, scheduler, positionLayerMs } = this.#context
    const turns = new SessionTurns(this.#queue, gate, init)
    const layers = this.range.end - this.range.first
    const session = new MemorySession(
      {
        shape: this.#shape,
        turns,
        row: this.#rows.open(init.prefix),
        work: (positions, options) => scheduler.sleep(positions * layers * positionLayerMs(), options),
        onDisposed: closed => {
          this.#sessions.delete(closed)
          turns[Symbol.dispose]()
        }
      },
      { stage: this.#init, positionsMax: init.positionsMax }
    )
    this.#sessions.add(session)
    return session
  }

  forgetPrefixes(scope: string): void {
    this.#rows.forget(scope)
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const session of [...this.#sessions]) session[Symbol.dispose]()
    await this.#queue.idle()
  }
}
