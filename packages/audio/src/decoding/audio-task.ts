import type { AudioLimits } from '../audio-limits.ts'
import type { SampleSpan } from '../voice/sample-span.ts'
import type { SpeechRules } from '../voice/speech-spans.ts'
import type { AudioContainer } from './sniff.ts'

/** What a thread is asked. */
export interface AudioTask {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly limits: AudioLimits
  /** Where somebody speaks is told by these rules, if any. */
  readonly speech: SpeechRules | undefined
}

/** What it answers. */
export interface AudioAnswer {
  readonly samples: Float32Array<ArrayBuffer>
  readonly container: AudioContainer
  readonly codec: string
  readonly speech: SampleSpan[] | undefined
}
