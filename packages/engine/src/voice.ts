import { readFile } from 'node:fs/promises'
import {
  type AbortOptions,
  MeshError,
  SENTENCE_IDS_MAX,
  type SynthesisJob,
  type VoiceConfig,
  type VoiceManifest,
  type WeightFile,
  type WorkOptions
} from '@resultity/interface'
import type { BatchGate } from './batch-gate.ts'
import { CallTurns } from './call-turns.ts'
import type { Spinning } from './spinning.ts'

export interface VoiceInit {
  readonly manifest: VoiceManifest
  readonly threads: number
  readonly spinning: Spinning
  /** Where a weight file of the manifest lies on this machine. */
  weightPath(file: WeightFile): string
}

/** What one run of a voice's graph reads. */
export interface VoiceInputs {
  /** i64 `[1, ids]`. */
  readonly ids: BigInt64Array
  /** f32 `[3]`: chance in the sound, length of sounds, chance in their length. */
  readonly scales: Float32Array
  /** Undefined for a model with one voice. */
  readonly speaker: number | undefined
}

/** The graph in some runtime: what an engine adds to {@link Voice}. */
export interface VoiceSession extends AsyncDisposable {
  /** One run, off the event loop where the engine can. @returns f32 samples of its own */
  run(inputs: VoiceInputs, options: AbortOptions): Promise<Float32Array>
}

/**
 * A whole voice, loaded. Sentences of its callers take turns: one at a time, interactive ones first.
 *
 * The graph draws its own noise: the same sentence never comes out as the same samples twice, except of a voice whose noise is
 * set to 0.
 */
export class Voice implements AsyncDisposable {
  readonly config: VoiceConfig
  readonly #session: VoiceSession
  readonly #turns: CallTurns
  readonly #speakers: ReadonlySet<number>

  constructor({ config }: VoiceManifest, session: VoiceSession, gate: BatchGate) {
    this.config = config
    this.#speakers = new Set(Object.values(config.speakers))
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
    const inputs = this.#inputsOf(sentence)
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

  #inputsOf({ phonemeIds, speaker, lengthScale }: SynthesisJob): VoiceInputs {
    const { phonemeCount, noiseScale, noiseWidth, lengthScale: own } = this.config
    if (phonemeIds.length === 0 || phonemeIds.length > SENTENCE_IDS_MAX) {
      throw invalid('phonemeIds', `${phonemeIds.length} phonemes came, 1 to ${SENTENCE_IDS_MAX} are taken`)
    }
    const wrong = phonemeIds.find(id => !Number.isInteger(id) || id < 0 || id >= phonemeCount)
    if (wrong !== undefined) throw invalid('phonemeIds', `phoneme ${wrong} came, the voice has ${phonemeCount}`)
    if (speaker !== undefined && !this.#speakers.has(speaker)) {
      throw invalid('speaker', `speaker ${speaker} came, the voice has ${this.#speakers.size || 'none to choose'}`)
    }
    const [first] = this.#speakers
    return {
      ids: BigInt64Array.from(phonemeIds, BigInt),
      scales: Float32Array.of(noiseScale, own * lengthScale, noiseWidth),
      speaker: speaker ?? first
    }
  }
}

/** The bytes of a voice's graph. @throws MeshError `engine_failed` where they are not there, or not as long as the manifest says */
export async function readVoiceGraph({ manifest, weightPath }: VoiceInit): Promise<Uint8Array> {
  const [file] = manifest.layers
  if (file === undefined) throw new MeshError('internal', `${manifest.name} has no file`)
  const path = weightPath(file)
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new MeshError('engine_failed', `the weight file ${path} cannot be read`, { cause, hint: FETCHED_ANEW })
  })
  if (bytes.byteLength === file.bytes) return bytes
  const message = `the weight file ${path} has ${bytes.byteLength} bytes, not ${file.bytes}`
  throw new MeshError('engine_failed', message, { hint: FETCHED_ANEW })
}

const FETCHED_ANEW = 'load the model again: a damaged file is fetched anew'

function invalid(param: string, message: string): MeshError {
  return new MeshError('invalid_request', message, { details: { param } })
}
