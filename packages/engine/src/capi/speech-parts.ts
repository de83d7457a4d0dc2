import type { WhisperConfig } from '@resultity/interface'
import type { GraphSession, Runtime } from '@resultity/onnx-runtime'
import type { AudioGraph, TextGraph } from '@resultity/whisper'
import type { GraphSource } from '../graph-source.ts'
import type { CapiTextParts } from './written-text.ts'

/** Both graphs of a speech model, loaded by the runtime, and where they came from. */
export interface CapiSpeechParts {
  readonly runtime: Runtime
  readonly config: WhisperConfig
  readonly audio: GraphSession
  readonly text: CapiTextParts
  readonly audioSource: GraphSource<AudioGraph>
  readonly textSource: GraphSource<TextGraph>
}
