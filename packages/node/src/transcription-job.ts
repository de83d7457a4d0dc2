import type { MelThread } from '@resultity/audio'
import {
  fromPcm,
  MeshError,
  SPEECH_SAMPLE_RATE,
  type TranscriptionJob,
  type TranscriptionResult,
  transcriptionJobSchema,
  type WorkOptions
} from '@resultity/interface'
import { uniformAt } from '@resultity/sampling'
import { FRAMES_PER_POSITION, FRAMES_PER_SECOND, hearPiece, type LogMel, type SpokenPiece } from '@resultity/speech'
import { parseJobBody } from './job-body.ts'
import type { ReadySpeech } from './loaded-model.ts'

const SAMPLES_PER_FRAME = SPEECH_SAMPLE_RATE / FRAMES_PER_SECOND

/**
 * Writes what is said in the piece of one job.
 *
 * @returns UTF-8 JSON of a `TranscriptionResult`
 * @throws MeshError `invalid_request` for a language or a task that the model does not know, `engine_failed`; the reason of
 *   the signal
 */
export async function runTranscriptionJob(
  { speech, bytesOf, spectrograms }: ReadySpeech,
  { pcm, seed, ...job }: TranscriptionJob,
  options: WorkOptions
): Promise<Uint8Array> {
  let draws = 0
  const mel = await spectrogram(pcm, speech.config, spectrograms, options)
  const piece = await hearPiece(
    speech,
    {
      ...job,
      mel,
      bytesOf,
      chance: () => uniformAt(BigInt(seed), draws++)
    },
    options
  )
  return new TextEncoder().encode(JSON.stringify(toResult(piece)))
}

/** Reads the body of a transcription job. @throws MeshError `protocol_violation` */
export function parseTranscriptionJob(body: Uint8Array): TranscriptionJob {
  const job = parseJobBody(transcriptionJobSchema, body)
  if (Buffer.byteLength(job.pcm, 'base64') % Int16Array.BYTES_PER_ELEMENT === 0) return job
  throw new MeshError('protocol_violation', 'the body of the job is wrong at pcm: it ends amid a sample')
}

async function spectrogram(
  pcm: string,
  { melBins, audioContext }: ReadySpeech['speech']['config'],
  spectrograms: Pick<MelThread, 'logMel'>,
  { signal }: WorkOptions
): Promise<LogMel> {
  const samples = fromPcm(pcm) ?? new Float32Array()
  const width = FRAMES_PER_POSITION * audioContext
  // a piece that is shorter than a frame has one all the same
  const frames = Math.min(width, Math.max(1, Math.floor(samples.length / SAMPLES_PER_FRAME)))
  const values = await spectrograms.logMel(samples, melBins, { ...(signal && { signal }) })
  return { values, bands: melBins, width, frames }
}

/** Texts are left out: who reads the result has the vocabulary. */
function toResult({ language, segments }: SpokenPiece): TranscriptionResult {
  return {
    language,
    segments: segments.map(({ tokens, logprobs, words, ...segment }) => ({
      ...segment,
      tokens: [...tokens],
      logprobs: logprobs.map(logprob => Number(logprob.toFixed(6))),
      ...(words === undefined
        ? {}
        : { words: words.map(word => ({ tokens: [...word.tokens], start: word.start, end: word.end })) })
    }))
  }
}
