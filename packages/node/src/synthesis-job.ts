import { type SynthesisJob, synthesisJobSchema, toSynthesisResult, type WorkOptions } from '@resultity/interface'
import { parseJobBody } from './job-body.ts'
import type { ReadyVoice } from './loaded-model.ts'

/**
 * Says one sentence.
 *
 * @returns UTF-8 JSON of a `SynthesisResult`
 * @throws MeshError `invalid_request` for a sentence that the voice does not say, `engine_failed`; the reason of the signal
 */
export async function runSynthesisJob(
  { voice }: ReadyVoice,
  sentence: SynthesisJob,
  options: WorkOptions
): Promise<Uint8Array> {
  const samples = await voice.say(sentence, options)
  return new TextEncoder().encode(JSON.stringify(toSynthesisResult(samples, voice.config.sampleRate)))
}

/** Reads the body of a job that says a sentence. @throws MeshError `protocol_violation` */
export function parseSynthesisJob(body: Uint8Array): SynthesisJob {
  return parseJobBody(synthesisJobSchema, body)
}
