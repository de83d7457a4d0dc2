import {
  type KokoroManifest,
  MeshError,
  type PiperManifest,
  SENTENCE_IDS_MAX,
  type SynthesisJob,
  type VoiceManifest
} from '@resultity/interface'

/** One input of a voice's graph. */
export interface VoiceTensor {
  readonly data: BigInt64Array | Float32Array
  readonly shape: readonly number[]
}

/** What one run of a voice's graph reads and gives. */
export interface VoiceRun {
  /** By name. */
  readonly inputs: Readonly<Record<string, VoiceTensor>>
  /** Name of the output: f32 samples, in any shape. */
  readonly output: string
}

/** A sentence as inputs of a graph. @throws MeshError `invalid_request` for an id or a speaker that the voice lacks, or too many ids */
export type VoiceReader = (sentence: SynthesisJob) => VoiceRun

/**
 * How sentences are given to the graph of `manifest`.
 *
 * @param styles the bytes of Kokoro's file of styles; none of Piper's
 */
export function voiceReader(manifest: VoiceManifest, styles: Uint8Array): VoiceReader {
  return manifest.architecture === 'kokoro' ? kokoroReader(manifest, styles) : piperReader(manifest)
}

function piperReader({ config }: PiperManifest): VoiceReader {
  const { noiseScale, noiseWidth, lengthScale: own } = config
  const speakers = new Set(Object.values(config.speakers))
  const [first] = speakers
  return ({ phonemeIds, speaker, lengthScale }) => {
    checkIds(phonemeIds, config.phonemeCount, SENTENCE_IDS_MAX)
    checkSpeaker(speaker, speakers)
    const sid = speaker ?? first
    return {
      inputs: {
        input: { data: BigInt64Array.from(phonemeIds, BigInt), shape: [1, phonemeIds.length] },
        input_lengths: { data: BigInt64Array.of(BigInt(phonemeIds.length)), shape: [1] },
        scales: { data: Float32Array.of(noiseScale, own * lengthScale, noiseWidth), shape: [3] },
        ...(sid === undefined ? {} : { sid: { data: BigInt64Array.of(BigInt(sid)), shape: [1] } })
      },
      output: 'output'
    }
  }
}

/**
 * Ids of one sentence that Kokoro says, of one that is said slowly fewer: a phoneme is one, without padding. What a run takes of
 * memory is bounded by it.
 */
const KOKORO_IDS_MAX = 320

/** Ids that stand before and behind a sentence's phonemes, and count for no length. */
const FRAME_IDS = 2

function kokoroReader({ config }: KokoroManifest, bytes: Uint8Array): VoiceReader {
  const { styleRows, styleSize } = config
  const speakers = new Set(Object.values(config.speakers))
  // of its own, and aligned: the bytes of a file need not be
  const styles = new Float32Array(Uint8Array.from(bytes).buffer)
  const idsMax = Math.min(KOKORO_IDS_MAX, styleRows + FRAME_IDS)
  return ({ phonemeIds, speaker = 0, lengthScale }) => {
    checkIds(phonemeIds, config.phonemeCount, Math.floor(idsMax / Math.max(1, lengthScale)))
    checkSpeaker(speaker, speakers)
    const length = Math.max(1, phonemeIds.length - FRAME_IDS)
    const row = speaker * styleRows + length - 1
    return {
      inputs: {
        tokens: { data: BigInt64Array.from(phonemeIds, BigInt), shape: [1, phonemeIds.length] },
        style: { data: styles.slice(row * styleSize, (row + 1) * styleSize), shape: [1, styleSize] },
        speed: { data: Float32Array.of(1 / lengthScale), shape: [1] }
      },
      output: 'audio'
    }
  }
}

function checkIds(ids: readonly number[], count: number, most: number): void {
  if (ids.length === 0 || ids.length > most) {
    throw invalid('phonemeIds', `${ids.length} phonemes came, 1 to ${most} are taken`)
  }
  const wrong = ids.find(id => !Number.isInteger(id) || id < 0 || id >= count)
  if (wrong !== undefined) throw invalid('phonemeIds', `phoneme ${wrong} came, the voice has ${count}`)
}

function checkSpeaker(speaker: number | undefined, speakers: ReadonlySet<number>): void {
  if (speaker === undefined || speakers.has(speaker)) return
  throw invalid('speaker', `speaker ${speaker} came, the voice has ${speakers.size || 'none to choose'}`)
}

function invalid(param: string, message: string): MeshError {
  return new MeshError('invalid_request', message, { details: { param } })
}
