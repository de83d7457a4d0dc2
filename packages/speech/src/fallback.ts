import type { WindowText } from './window-text.ts'

/** Above it, a text most likely repeats itself. The numbers are those of OpenAI's reference (`transcribe.py`). */
const COMPRESSION_RATIO_MAX = 2.4

/** Below it, the model was not sure of what it wrote. */
const AVERAGE_LOGPROB_MIN = -1

/** Above it, a text that the model is not sure of is none: nobody speaks. */
const NO_SPEECH_MAX = 0.6

/** Above it, a text was drawn rather than heard, and is no context for the next window. */
const CONTEXT_TEMPERATURE_MAX = 0.5

type Quality = Pick<WindowText, 'averageLogprob' | 'compressionRatio'>

/** Whether a text should be written again at the next temperature. @param noSpeech probability that nobody speaks */
export function needsFallback({ averageLogprob, compressionRatio }: Quality, noSpeech: number): boolean {
  const unsure = averageLogprob < AVERAGE_LOGPROB_MIN
  if (unsure && noSpeech > NO_SPEECH_MAX) return false
  return unsure || compressionRatio > COMPRESSION_RATIO_MAX
}

/** Whether a window is silence, whatever was written of it. */
export function isSilence({ averageLogprob }: Quality, noSpeech: number): boolean {
  return noSpeech > NO_SPEECH_MAX && averageLogprob <= AVERAGE_LOGPROB_MIN
}

/** The surest of several texts that all were to be written again: one that does not repeat itself, if there is one. */
export function surestOf<T extends Quality>(texts: readonly T[]): T | undefined {
  const varied = texts.filter(({ compressionRatio }) => compressionRatio <= COMPRESSION_RATIO_MAX)
  const fitting = varied.length > 0 ? varied : texts
  return fitting.toSorted((one, other) => other.averageLogprob - one.averageLogprob)[0]
}

/** Whether the next window may read a text as what was said before. @param temperature the last that was tried */
export function isContext(temperature: number): boolean {
  return temperature <= CONTEXT_TEMPERATURE_MAX
}
