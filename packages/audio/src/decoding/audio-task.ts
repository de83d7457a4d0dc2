import type { AudioLimits } from '../audio-limits.ts'
import type { SampleSpan } from '../voice/sample-span.ts'
import type { SpeechRules } from '../voice/speech-spans.ts'
import type { DecodedFile } from './decode-file.ts'

/** What a thread is asked. A file that only ffmpeg decodes is named by its answer (`ForeignAudio`). */
export interface AudioTask {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly limits: AudioLimits
  /** Nothing but how long it is is wanted. */
  readonly measured: boolean
  /** Where somebody speaks is told by these rules, if any. */
  readonly speech: SpeechRules | undefined
}

/** A file, and where somebody speaks in it. */
export interface HeardFile extends DecodedFile {
  readonly speech: SampleSpan[] | undefined
}
