import { readFile } from 'node:fs/promises'
import {
  type AbortOptions,
  MeshError,
  type SynthesisJob,
  type VoiceConfig,
  type VoiceManifest,
  type WeightFile,
  type WorkOptions
} from '@resultity/interface'
import type { Spinning } from '@resultity/onnx-runtime'
import { type VoiceReader, type VoiceRun, voiceReader } from '@resultity/voice'
import type { BatchGate } from './batch-gate.ts'
import { CallTurns } from './call-turns.ts'

export interface VoiceInit {
  readonly manifest: VoiceManifest
  readonly threads: number
  readonly spinning: Spinning
  /** Where a weight file of the manifest lies on this machine. */
  weightPath(file: WeightFile): string
}

/** The graph in some runtime: what an engine adds to {@link Voice}. */
export interface VoiceSession extends AsyncDisposable {
  /** One run, off the event loop where the engine can. @returns f32 samples of its own */
  run(inputs: VoiceRun, options: AbortOptions): Promise<Float32Array>
}

/**
 * A whole voice, loaded. Sentences of its callers take turns: one at a time, interactive ones first.
 *
 * Piper's graphs draw their own noise: the same sentence never comes out as the same samples twice, except of a voice whose noise
 * is set to 0. Kokoro's have no noise.
 */
export class Voice implements AsyncDisposable {
  readonly config: VoiceConfig
  readonly #session: VoiceSession
  readonly #turns: CallTurns
  readonly #read: VoiceReader

  /** @param styles what {@link readVoiceFiles} gives */
  constructor(manifest: VoiceManifest, styles: Uint8Array, session: VoiceSession, gate: BatchGate) {
    this.config = manifest.config
    this.#read = voiceReader(manifest, styles)
    this.#session = session
    this.#turns = new CallTurns(gate, 'the voice')
  }

  /**
   * Says one sentence.
   *
   * @returns samples at the voice's rate, f32, from -1 to 1 but for a few beyond
   * @throws MeshError `invalid_request` for an id or a speaker that the voice lacks, or too many ids; `engine_failed` when the
   *   runtime broke off, gave nothing or no numbers; `unavailable` after disposal; the reason of `signal`
   */
  async say(sentence: SynthesisJob, options: WorkOptions = {}): Promise<Float32Array> {
    options.signal?.throwIfAborted()
    const inputs = this.#read(sentence)
    const signal = this.#turns.signalOf(options)
    const samples = await this.#turns.take(() => this.#session.run(inputs, { signal }), signal, options.workClass)
    if (samples.length > 0 && samples.every(Number.isFinite)) return samples
    throw new MeshError('engine_failed', 'the voice gave samples that are no numbers, or none', {
      hint: 'its weights may be damaged; import the model again'
    })
  }

  /** Breaks calls off, waits until the runtime has left their memory, and frees it and the weights. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#turns.closed) return
    await this.#turns.close()
    await this.#session[Symbol.asyncDispose]()
  }
}

export interface VoiceFiles {
  readonly graph: Uint8Array
  /** Of Kokoro's speakers; empty for Piper. */
  readonly styles: Uint8Array
}

/** The files of a voice. @throws MeshError `engine_failed` where they are not there, or not as long as the manifest says */
export async function readVoiceFiles({ manifest, weightPath }: VoiceInit): Promise<VoiceFiles> {
  const [graph] = manifest.layers
  if (graph === undefined) throw new MeshError('internal', `${manifest.name} has no file`)
  return {
    graph: await readWholeFile(graph, weightPath(graph)),
    styles:
      manifest.architecture === 'kokoro'
        ? await readWholeFile(manifest.styles, weightPath(manifest.styles))
        : new Uint8Array()
  }
}

/** @throws MeshError `engine_failed` where it is not there, or not as long as the manifest says */
export async function readWholeFile(file: WeightFile, path: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new MeshError('engine_failed', `the weight file ${path} cannot be read`, { cause, hint: FETCHED_ANEW })
  })
  if (bytes.byteLength === file.bytes) return bytes
  const message = `the weight file ${path} has ${bytes.byteLength} bytes, not ${file.bytes}`
  throw new MeshError('engine_failed', message, { hint: FETCHED_ANEW })
}

const FETCHED_ANEW = 'load the model again: a damaged file is fetched anew'
