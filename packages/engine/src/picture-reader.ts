import { lookedAt, type PictureReaderGraph } from '@resultity/blip'
import {
  type AbortOptions,
  allFinite,
  type DecoderManifest,
  MeshError,
  type SightConfig,
  type WeightFile,
  type WorkOptions
} from '@resultity/interface'
import type { Spinning } from '@resultity/onnx-runtime'
import type { BatchGate } from './batch-gate.ts'
import { CallTurns } from './call-turns.ts'
import { KernelDigest } from './kernel-digest.ts'

export interface PictureReaderInit {
  readonly manifest: DecoderManifest
  readonly threads: number
  readonly spinning: Spinning
  /** Where a weight file of the manifest lies on this machine. */
  weightPath(file: WeightFile): string
  /** As that of a stage. */
  readonly workDir: string
}

/** The graph in some runtime: what an engine adds to {@link PictureReader}. */
export interface PictureReaderSession extends AsyncDisposable {
  readonly graph: PictureReaderGraph
  /** @param pixels f32 `[3, imageSize, imageSize]` @returns f32 `[statesOfPiece, hiddenSize]` of its own */
  run(pixels: Float32Array, options: AbortOptions): Promise<Float32Array>
}

/** What looks at pictures for the first stage of a model that reads them. Runs of its callers take turns. */
export class PictureReader implements AsyncDisposable {
  readonly config: SightConfig
  readonly #session: PictureReaderSession
  readonly #turns: CallTurns

  constructor(config: SightConfig, session: PictureReaderSession, gate: BatchGate) {
    this.config = config
    this.#session = session
    this.#turns = new CallTurns(gate, 'what looks at pictures')
  }

  /**
   * The states of a piece of a picture, each to be read in the place of a token.
   *
   * @param rgb u8 `[imageSize, imageSize, 3]`
   * @returns f32 `[statesOfPiece, hiddenSize]`
   * @throws MeshError `invalid_request` for a wrong size, `engine_failed` when the runtime broke off or gave no numbers,
   *   `unavailable` after disposal; the reason of `signal`
   */
  async read(rgb: Uint8Array, options: WorkOptions = {}): Promise<Float32Array> {
    const signal = this.#turns.signalOf(options)
    signal.throwIfAborted()
    const pixels = lookedAt(rgb, this.config)
    const states = await this.#turns.take(() => this.#session.run(pixels, { signal }), signal, options.workClass)
    if (allFinite(states)) return states
    throw new MeshError('engine_failed', 'what looks at pictures gave what is no number', {
      hint: 'its weights may be damaged; import the model again'
    })
  }

  /** A digest of what a fixed piece came out as, together with that of the stage. */
  async digestWith(stage: string, options: AbortOptions = {}): Promise<string> {
    const { imageSize } = this.config
    const digest = new KernelDigest()
    digest.add(
      await this.read(
        Uint8Array.from({ length: 3 * imageSize ** 2 }, (_, at) => (37 * at) % 251),
        options
      )
    )
    digest.add(Float32Array.from(Buffer.from(stage, 'hex')))
    return digest.end()
  }

  /** Breaks calls off, waits until the runtime has left their memory, and frees it and the weights. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#turns.closed) return
    await this.#turns.close()
    await this.#session[Symbol.asyncDispose]()
  }
}
