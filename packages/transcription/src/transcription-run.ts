import { type TranscriberComponents, transcribe } from '@resultity/generation'
import { requireSpeech } from '@resultity/interface'
import { BEGUN, type JobAnswer, type JobContext } from '@resultity/jobs'
import { type AnswerMetrics, routeHeader } from '@resultity/openai'
import type { RouteConstraints, ServedSpeech } from '@resultity/placement'
import type { JobUsage } from '@resultity/store'
import { type RecordingComponents, readRecording } from './recording.ts'
import type { RecordingsInMemory } from './recordings-in-memory.ts'
import type { SpeechPlan } from './speech-plan.ts'
import { deltaOf, segmentsOf, type TranscriptSegment, wholeText } from './transcript.ts'
import { mediaType, soundTokens, tokenUsage, transcriptAnswer } from './transcript-answer.ts'
import { DELTA, type DeltaEntry, DONE, type DoneEntry } from './transcript-view.ts'

export interface TranscriptionRunComponents extends TranscriberComponents, RecordingComponents {
  readonly metrics: AnswerMetrics
  readonly recordings: RecordingsInMemory
}

/** A request in terms of its model. */
export interface PreparedTranscription {
  readonly model: ServedSpeech
  readonly routing: RouteConstraints
  readonly plan: SpeechPlan
  /** Of the stored recording. */
  readonly fileId: string
  /** Of the recording, as it was measured. */
  readonly seconds: number
  readonly seed: number
}

/** Routes of one recording that are told; nodes beyond them go unnamed. */
const ROUTES_TOLD_MAX = 16

/** One attempt: the recording is read, heard piece by piece on many nodes, and told in order. */
export async function runTranscription(
  components: TranscriptionRunComponents,
  { model, routing, plan, fileId, seconds, seed }: PreparedTranscription,
  context: JobContext
): Promise<JobAnswer> {
  const { job, signal, log, losses } = context
  const { form, rules, task, language, prompt, temperatures } = plan
  using _held = await components.recordings.hold(seconds, { signal })
  const recording = await readRecording(components, { id: fileId, namespace: job.namespace, rules }, { signal })
  const { tokens } = requireSpeech(model.placeable.manifest).config
  const text = { tokenizer: model.tokenizer, endOfText: tokens.endOfText }
  const segments: TranscriptSegment[] = []
  const routes = new Set<string>()
  let spoken = language
  let told = ''
  let piece = 0
  const asked = { task, language, prompt: [...prompt], temperatures: [...temperatures], words: form.words, seed }
  const pieces = transcribe(
    components,
    { jobId: job.id, model: model.placeable, routing, pieces: recording.pieces, ...asked },
    { signal, workClass: job.class, losses }
  )
  for await (const heard of pieces) {
    if (routes.size === 0) await log.note(BEGUN, { headers: routeHeaders([routeHeader(heard.route)]) })
    if (routes.size < ROUTES_TOLD_MAX) routes.add(routeHeader(heard.route))
    if (heard.segments.length > 0) spoken ??= heard.language.code
    for (const segment of segmentsOf(heard, recording.spans[piece]?.start ?? 0, text)) {
      const delta = deltaOf(segment, told)
      told += delta
      segments.push(segment)
      if (log.wanted) await log.add(DELTA, deltaEntry(delta, segment, form.logprobs))
    }
    piece++
  }
  if (routes.size === 0) await log.note(BEGUN, { headers: {} })
  const usage = usageOf(segments, recording.seconds, prompt.length, tokens.endOfText)
  components.metrics.promptTokens.inc({ model: model.id }, usage.promptTokens)
  components.metrics.completionTokens.inc({ model: model.id }, usage.completionTokens)
  if (log.wanted) await log.add(DONE, doneEntry(segments, usage, recording.seconds, form.logprobs))
  const media = mediaType(form.format)
  const headers = { ...routeHeaders([...routes]), ...(media === undefined ? {} : { 'content-type': media }) }
  const transcript = { task, language: spoken ?? 'en', seconds: recording.seconds, segments }
  return { result: { status: 200, headers, body: transcriptAnswer(transcript, form) }, usage }
}

function routeHeaders(routes: readonly string[]): Record<string, string> {
  return routes.length === 0 ? {} : { 'x-resultity-route': routes.join(', ') }
}

function deltaEntry(delta: string, { logprobs }: TranscriptSegment, withLogprobs: boolean): DeltaEntry {
  return { delta, ...(withLogprobs ? { logprobs } : {}) }
}

function doneEntry(
  segments: readonly TranscriptSegment[],
  usage: JobUsage,
  seconds: number,
  withLogprobs: boolean
): DoneEntry {
  const logprobs = withLogprobs ? { logprobs: segments.flatMap(segment => segment.logprobs) } : {}
  return { text: wholeText(segments), ...logprobs, usage: tokenUsage(usage, seconds) }
}

/** What was read and written: sound counts as the positions that the encoder reads. */
function usageOf(
  segments: readonly TranscriptSegment[],
  seconds: number,
  promptCount: number,
  endOfText: number
): JobUsage {
  const written = segments.reduce((sum, { tokens }) => sum + tokens.filter(token => token < endOfText).length, 0)
  return { promptTokens: promptCount + soundTokens(seconds), completionTokens: written }
}
