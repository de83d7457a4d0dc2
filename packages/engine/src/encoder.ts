import {
  type AbortOptions,
  type EncoderManifest,
  MeshError,
  outputSize,
  type WeightFile,
  type WorkOptions
} from '@resultity/interface'
import type { Spinning } from '@resultity/onnx-runtime'
import type { BatchGate } from './batch-gate.ts'
import { CallTurns } from './call-turns.ts'
import { batchInputs, type EncoderInputs, planBatches } from './encoder-batches.ts'

export interface EncoderInit {
  readonly manifest: EncoderManifest
  readonly threads: number
  readonly spinning: Spinning
  /** Where a weight file of the manifest lies on this machine. */
  weightPath(file: WeightFile): string
  /**
   * An existing directory. Where the weight files lie in several folders, the encoder makes one of its own in it, and removes
   * that when disposed.
   */
  readonly workDir: string
}

/** The graph in some runtime: what an engine adds to {@link Encoder}. */
export interface EncoderSession extends AsyncDisposable {
  /** One run, off the event loop where the engine can. @returns `[count, dimensions]` of its own */
  run(inputs: EncoderInputs, options: AbortOptions): Promise<Float32Array>
}

/** Inputs of one call at the most; more are several calls. */
export const ENCODER_INPUTS_MAX = 2048

export interface EncodeOptions extends WorkOptions {
  /** Where the second text of each input begins, where inputs are pairs. */
  readonly seconds?: readonly number[] | undefined
}

/** A whole sentence encoder or classifier, loaded. Runs of its callers take turns. */
export class Encoder implements AsyncDisposable {
  /** Numbers of a vector; of a classifier, labels. */
  readonly dimensions: number
  readonly vocabularySize: number
  /** Longest input, in tokens. */
  readonly inputTokensMax: number
  readonly layerCount: number
  readonly #pooling: 'mean' | 'cls'
  readonly #typeCount: number
  readonly #session: EncoderSession
  readonly #turns: CallTurns

  constructor({ config }: EncoderManifest, session: EncoderSession, gate: BatchGate) {
    this.dimensions = outputSize(config)
    this.#typeCount = config.tokenTypeCount
    this.vocabularySize = config.vocabularySize
    this.inputTokensMax = config.contextLength
    this.layerCount = config.layerCount
    this.#pooling = config.pooling
    this.#session = session
    this.#turns = new CallTurns(gate, 'the encoder')
  }

  /**
   * The vectors of `inputs`, `[inputs, dimensions]`. Inputs are token ids with those that frame them; they run in
   * bounded batches, and between two batches other callers have their turn: those whose work is interactive first.
   *
   * @throws MeshError `invalid_request` for no input, too many, one that is empty or too long, or a wrong token id;
   *   `engine_failed` when the runtime broke off or gave no numbers, `unavailable` after disposal; the reason of `signal`
   */
  async encode(inputs: readonly (readonly number[])[], options: EncodeOptions = {}): Promise<Float32Array> {
    options.signal?.throwIfAborted()
    const { seconds } = options
    this.#admit(inputs)
    this.#admitPairs(inputs, seconds)
    const vectors = new Float32Array(inputs.length * this.dimensions)
    const signal = this.#turns.signalOf(options)
    for (const batch of planBatches(inputs.map(input => input.length))) {
      const laidOut = batchInputs(batch, { inputs, seconds }, this.#pooling)
      const run = (): Promise<Float32Array> => this.#session.run(laidOut, { signal })
      const rows = await this.#turns.take(run, signal, options.workClass)
      for (const [row, index] of batch.indices.entries()) {
        const vector = rows.subarray(row * this.dimensions, (row + 1) * this.dimensions)
        requireNumbers(vector)
        vectors.set(vector, index * this.dimensions)
      }
    }
    return vectors
  }

  /** Breaks calls off, waits until the runtime has left their memory, and frees it and the weights. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#turns.closed) return
    await this.#turns.close()
    await this.#session[Symbol.asyncDispose]()
  }

  #admit(inputs: readonly (readonly number[])[]): void {
    if (inputs.length === 0 || inputs.length > ENCODER_INPUTS_MAX) {
      throw invalid(`${inputs.length} inputs came, 1 to ${ENCODER_INPUTS_MAX} are taken at once`)
    }
    for (const [index, input] of inputs.entries()) {
      if (input.length === 0 || input.length > this.inputTokensMax) {
        throw invalid(`input ${index} has ${input.length} tokens, 1 to ${this.inputTokensMax} are taken`)
      }
      const wrong = input.find(token => !Number.isInteger(token) || token < 0 || token >= this.vocabularySize)
      if (wrong !== undefined) throw invalid(`input ${index} has token ${wrong}, the vocabulary ${this.vocabularySize}`)
    }
  }

  #admitPairs(inputs: readonly (readonly number[])[], seconds: readonly number[] | undefined): void {
    if (seconds === undefined) return
    if (this.#typeCount < 2) throw invalid('pairs came, and the encoder does not tell two texts apart')
    const fits = seconds.length === inputs.length && seconds.every((second, at) => second < (inputs[at]?.length ?? 0))
    if (!fits) throw invalid('pairs came whose second texts begin outside of them')
  }
}

function invalid(message: string): MeshError {
  return new MeshError('invalid_request', message, { details: { param: 'input' } })
}

function requireNumbers(vector: Float32Array): void {
  if (vector.every(Number.isFinite)) return
  throw new MeshError('engine_failed', 'the encoder gave a vector that holds no numbers', {
    hint: 'its weights may be damaged; import the model again'
  })
}
