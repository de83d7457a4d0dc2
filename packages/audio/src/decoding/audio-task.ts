import type { AudioLimits } from '../audio-limits.ts'
import type { SampleSpan } from '../voice/sample-span.ts'
import type { SpeechRules } from '../voice/speech-spans.ts'
import type { DecodedFile } from './decode-file.ts'
import type { ForeignAudio } from './foreign-audio.ts'

/** What a thread is asked. */
export interface AudioTask {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly limits: AudioLimits
  /** Where somebody speaks is told by these rules, if any. */
  readonly speech: SpeechRules | undefined
}

/** A file, and where somebody speaks in it. */
export interface HeardFile extends DecodedFile {
  readonly speech: SampleSpan[] | undefined
}

/** What it answers: a file that only ffmpeg decodes is named. */
export type AudioAnswer = HeardFile | ForeignAudio
