import { srtOf, vttOf } from '@resultity/audio'
import type { JobUsage, JsonValue } from '@resultity/store'
import { languageName } from './spoken-language.ts'
import { type TranscriptSegment, wholeText } from './transcript.ts'
import type { ResponseFormat, TranscriptTokenUsage, VerboseTranscript } from './transcription-schema.ts'

/** Positions of the encoder in a second: what a model reads of sound, as tokens of a prompt are what it reads of text. */
const TOKENS_PER_SECOND = 50

/** A recording, written. */
export interface Transcript {
  readonly task: 'transcribe' | 'translate'
  /** The code of the language that is spoken. */
  readonly language: string
  /** Of the recording. */
  readonly seconds: number
  readonly segments: readonly TranscriptSegment[]
}

/** What a client wants to see of it. */
export interface AnswerForm {
  readonly format: ResponseFormat
  readonly words: boolean
  readonly segments: boolean
  readonly logprobs: boolean
}

/** Tokens that hearing so many seconds counts as. */
export function soundTokens(seconds: number): number {
  return Math.ceil(seconds * TOKENS_PER_SECOND)
}

/** The answer in the form that was asked for; a text where that is no JSON. */
export function transcriptAnswer(transcript: Transcript, form: AnswerForm): JsonValue {
  const { segments, seconds } = transcript
  const text = wholeText(segments)
  switch (form.format) {
    case 'text':
      return `${text}\n`
    case 'srt':
      return srtOf(segments)
    case 'vtt':
      return vttOf(segments)
    case 'verbose_json':
      return verbose(transcript, text, form)
    case 'json':
      return {
        text,
        ...(form.logprobs ? { logprobs: segments.flatMap(({ logprobs }) => logprobs) } : {}),
        usage: { type: 'duration', seconds }
      }
  }
}

function verbose({ task, language, seconds, segments }: Transcript, text: string, form: AnswerForm): VerboseTranscript {
  return {
    task,
    // what is written of a translation is English
    language: task === 'translate' ? 'english' : languageName(language),
    duration: seconds,
    text,
    ...(form.words
      ? { words: segments.flatMap(({ words }) => words.map(({ text: word, start, end }) => ({ word, start, end }))) }
      : {}),
    ...(form.segments ? { segments: segments.map(segmentView) } : {}),
    usage: { type: 'duration', seconds }
  }
}

function segmentView(segment: TranscriptSegment, id: number): NonNullable<VerboseTranscript['segments']>[number] {
  const { seek, start, end, text, tokens, temperature } = segment
  return {
    id,
    seek,
    start,
    end,
    text,
    tokens: [...tokens],
    temperature,
    avg_logprob: segment.averageLogprob,
    compression_ratio: segment.compressionRatio,
    no_speech_prob: segment.noSpeech
  }
}

/** The media type of a form that is no JSON. */
export function mediaType(format: ResponseFormat): string | undefined {
  return format === 'json' || format === 'verbose_json' ? undefined : 'text/plain; charset=utf-8'
}

/** Usage as the last event of a stream tells it. */
export function tokenUsage({ promptTokens, completionTokens }: JobUsage, seconds: number): TranscriptTokenUsage {
  const audio = soundTokens(seconds)
  return {
    type: 'tokens',
    input_tokens: promptTokens,
    input_token_details: { text_tokens: promptTokens - audio, audio_tokens: audio },
    output_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens
  }
}
