import { BarkVoice } from '@resultity/engine'
import {
  MeshError,
  type SentenceJob,
  sentenceJobSchema,
  toSynthesisResult,
  type WorkOptions
} from '@resultity/interface'
import { parseJobBody } from './job-body.ts'
import type { ReadyVoice } from './loaded-model.ts'

/**
 * Says one sentence.
 *
 * @returns UTF-8 JSON of a `SynthesisResult`
 * @throws MeshError `invalid_request` for a sentence that the voice does not say, `engine_failed`; the reason of the signal
 */
export async function runSynthesisJob(
  { voice, manifest }: ReadyVoice,
  sentence: SentenceJob,
  options: WorkOptions
): Promise<Uint8Array> {
  const said = (): Promise<Float32Array> => {
    if (voice instanceof BarkVoice && 'tokens' in sentence) return voice.say(sentence, options)
    if (!(voice instanceof BarkVoice) && 'phonemeIds' in sentence) return voice.say(sentence, options)
    throw new MeshError('invalid_request', `${manifest.name} does not read what the sentence is written in`, {
      hint: 'the coordinator sent the job to the wrong model; upgrade it if it is older than this node'
    })
  }
  const samples = await said()
  return new TextEncoder().encode(JSON.stringify(toSynthesisResult(samples, voice.config.sampleRate)))
}

/** Reads the body of a job that says a sentence. @throws MeshError `protocol_violation` */
export function parseSynthesisJob(body: Uint8Array): SentenceJob {
  return parseJobBody(sentenceJobSchema, body)
}
