import type {
  AbortOptions,
  BarkConfig,
  BarkManifest,
  TokenSynthesisJob,
  WeightFile,
  WorkOptions
} from '@resultity/interface'
import type { Spinning } from '@resultity/onnx-runtime'
import {
  type BarkRuns,
  checkSentence,
  promptOf,
  requireNumbers,
  type SaidTokens,
  sayTokens,
  tryRuns
} from '@resultity/voice'
import type { BatchGate } from './batch-gate.ts'
import { CallTurns } from './call-turns.ts'
import { median } from './median.ts'
import { readWholeFile } from './voice.ts'

export interface BarkInit {
  readonly manifest: BarkManifest
  readonly threads: number
  readonly spinning: Spinning
  /** Where a weight file of the manifest lies on this machine. */
  weightPath(file: WeightFile): string
  /** As of a stage. */
  readonly workDir: string
}

/** The four graphs of a Bark in some runtime. */
export interface BarkGraphs extends AsyncDisposable {
  readonly runs: BarkRuns
}

/**
 * A whole Bark, loaded. Sentences of its callers take turns: one at a time, interactive ones first. One that is aborted stops at the
 * operator that it is at.
 */
export class BarkVoice implements AsyncDisposable {
  readonly config: BarkConfig
  readonly #graphs: BarkGraphs
  readonly #prompts: Uint8Array
  readonly #turns: CallTurns

  /** @param prompts what {@link readPrompts} gives */
  constructor(config: BarkConfig, prompts: Uint8Array, graphs: BarkGraphs, gate: BatchGate) {
    this.config = config
    this.#prompts = prompts
    this.#graphs = graphs
    this.#turns = new CallTurns(gate, 'the voice')
  }

  /**
   * Says one sentence.
   *
   * @returns samples at the voice's rate, f32, from -1 to 1 but for a few beyond
   * @throws MeshError `invalid_request` for a token or a speaker that the voice lacks, or too many tokens; `engine_failed` when the
   *   runtime broke off, or gave no numbers; `unavailable` after disposal; the reason of `signal`
   */
  async say(sentence: TokenSynthesisJob, options: WorkOptions = {}): Promise<Float32Array> {
    return (await this.tell(sentence, options)).samples
  }

  /** As {@link say}, with all that was written on the way. */
  async tell(sentence: TokenSynthesisJob, options: WorkOptions = {}): Promise<SaidTokens> {
    options.signal?.throwIfAborted()
    const { config } = this
    checkSentence(config, sentence)
    const prompt = sentence.speaker === undefined ? undefined : promptOf(config, this.#prompts, sentence.speaker)
    const signal = this.#turns.signalOf(options)
    const voice = { signal, ...(prompt && { prompt }) }
    const work = (): Promise<SaidTokens> => sayTokens(config, this.#graphs.runs, sentence, voice)
    const said = await this.#turns.take(work, signal, options.workClass)
    requireNumbers(said.samples)
    return said
  }

  /** Milliseconds of one token on this machine as it is now, other load included; also shows that all weights give numbers. */
  async measure(options: AbortOptions = {}): Promise<number> {
    const signal = this.#turns.signalOf(options)
    const work = (): Promise<number[]> => tryRuns(this.config, this.#graphs.runs, () => performance.now(), { signal })
    return median(await this.#turns.take(work, signal, undefined))
  }

  /** Breaks calls off, waits until the runtime has left their memory, and frees it and the weights. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#turns.closed) return
    await this.#turns.close()
    await this.#graphs[Symbol.asyncDispose]()
  }
}

/** The file of prompts; empty where there is none. @throws MeshError `engine_failed` */
export async function readPrompts({ manifest: { prompts }, weightPath }: BarkInit): Promise<Uint8Array> {
  return prompts === undefined ? new Uint8Array() : await readWholeFile(prompts, weightPath(prompts))
}
