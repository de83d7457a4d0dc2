import type { AbortOptions } from '@resultity/interface'
import { median } from './median.ts'
import type { SpeechModel } from './port.ts'

/** What a speech model's runs cost on this machine as it is now, other load included. */
export interface SpeechMeasurement {
  /** Milliseconds of one token on one layer of the decoder. */
  readonly msPerTokenLayer: number
  /** Milliseconds that a window is heard for. */
  readonly hearingMs: number
}

const TOKENS = 8

/** Hears a window of silence and writes a few tokens of it, which also shows that the weights give numbers. */
export async function measureSpeech(model: SpeechModel, options: AbortOptions = {}): Promise<SpeechMeasurement> {
  const { melBins, audioContext, decoderLayerCount, tokens } = model.config
  const begun = performance.now()
  using window = await model.hear(new Float32Array(melBins * 2 * audioContext), options)
  const hearingMs = performance.now() - begun
  using session = window.open()
  const times: number[] = []
  for (let count = 0; count < TOKENS; count++) {
    const start = performance.now()
    await session.run([tokens.startOfTranscript], options)
    times.push(performance.now() - start)
  }
  return { msPerTokenLayer: median(times) / decoderLayerCount, hearingMs }
}
