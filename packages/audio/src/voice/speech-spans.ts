import { SAMPLE_RATE } from '../audio-limits.ts'
import type { SampleSpan } from './sample-span.ts'

/** Samples that a probability of speech is about: 32 ms. */
export const VOICE_FRAME_SAMPLES = 512

/** When something counts as speech; the defaults are those of Silero's `get_speech_timestamps`. */
export interface SpeechRules {
  /** Speech begins at this probability. Default 0.5. */
  readonly threshold?: number
  /** It ends where the probability stays below this one. Default 0.15 less than `threshold`, at least 0.01. */
  readonly endThreshold?: number
  /** Shorter speech is none. Default 250. */
  readonly speechMsMin?: number
  /** Longer speech is cut, at its last pause of 98 ms where it has one. Default 30,000. */
  readonly speechMsMax?: number
  /** A pause is at least so long. Default 100. */
  readonly silenceMsMin?: number
  /** Each span is made so much longer on both sides; neighbours share what is between them. Default 30. */
  readonly paddingMs?: number
}

/** A pause within speech that is long enough to cut it where it must be cut. */
const SILENCE_AT_CUT_MS = 98

interface Thresholds {
  readonly begin: number
  readonly end: number
  readonly speechMin: number
  readonly speechMax: number
  readonly silenceMin: number
  readonly silenceAtCut: number
  readonly padding: number
}

/**
 * Where somebody speaks, of the probabilities that Silero's model gives: the algorithm of `get_speech_timestamps` in
 * snakers4/silero-vad (version 5). Speech begins at the threshold and ends once the probability stayed below a lower one
 * for the length of a pause. What is too short is left out, what is too long is cut, and each span is padded.
 *
 * @param probabilities one for each {@link VOICE_FRAME_SAMPLES} samples, the last frame filled up with silence
 * @param total samples in all
 * @returns in order, without overlaps, within `[0, total)`
 */
export function speechSpans(probabilities: ArrayLike<number>, total: number, rules: SpeechRules = {}): SampleSpan[] {
  const thresholds = thresholdsOf(rules)
  const spotter = new SpeechSpotter(thresholds)
  for (let frame = 0; frame < probabilities.length; frame++) {
    spotter.hear(frame * VOICE_FRAME_SAMPLES, probabilities[frame] ?? 0)
  }
  return padded(spotter.end(total), total, thresholds.padding)
}

function thresholdsOf({
  threshold = 0.5,
  endThreshold = Math.max(threshold - 0.15, 0.01),
  speechMsMin = 250,
  speechMsMax = 30_000,
  silenceMsMin = 100,
  paddingMs = 30
}: SpeechRules): Thresholds {
  const samplesOf = (ms: number): number => (ms * SAMPLE_RATE) / 1000
  const padding = samplesOf(paddingMs)
  return {
    begin: threshold,
    end: endThreshold,
    speechMin: samplesOf(speechMsMin),
    speechMax: samplesOf(speechMsMax) - VOICE_FRAME_SAMPLES - 2 * padding,
    silenceMin: samplesOf(silenceMsMin),
    silenceAtCut: samplesOf(SILENCE_AT_CUT_MS),
    padding
  }
}

/** Goes through the frames and knows whether somebody speaks. Places are the first samples of frames. */
class SpeechSpotter {
  readonly #thresholds: Thresholds
  readonly #spans: SampleSpan[] = []
  /** Where the speech began that goes on. */
  #start: number | undefined
  /** Where a pause began that may become the end of the speech. */
  #pause: number | undefined
  /** Where a pause began that the speech may be cut at, and where speech went on behind it. */
  #cut: number | undefined
  #resumed: number | undefined

  constructor(thresholds: Thresholds) {
    this.#thresholds = thresholds
  }

  hear(at: number, probability: number): void {
    const { begin, end, speechMax } = this.#thresholds
    if (probability >= begin) {
      if (this.#pause !== undefined && this.#cut !== undefined) this.#resumed ??= at
      this.#pause = undefined
      if (this.#start === undefined) {
        this.#start = at
        return
      }
    }
    if (this.#start === undefined) return
    if (at - this.#start > speechMax && this.#cutLong(this.#start, at)) return
    if (probability < end) this.#fallSilent(at)
  }

  /** @returns what was heard up to the end of the recording */
  end(total: number): SampleSpan[] {
    if (this.#start !== undefined && total - this.#start > this.#thresholds.speechMin) {
      this.#spans.push({ start: this.#start, end: total })
    }
    return this.#spans
  }

  /** @returns whether no speech goes on */
  #cutLong(start: number, at: number): boolean {
    const resumed = this.#resumed
    this.#spans.push({ start, end: this.#cut ?? at })
    this.#forget()
    this.#start = resumed
    return resumed === undefined
  }

  #fallSilent(at: number): void {
    const { silenceAtCut, silenceMin, speechMin } = this.#thresholds
    const start = this.#start
    if (start === undefined) return
    this.#pause ??= at
    const end = this.#pause
    if (at - end > silenceAtCut) {
      // a later pause: where speech goes on behind it is not known yet
      if (this.#cut !== end) this.#resumed = undefined
      this.#cut = end
    }
    if (at - end < silenceMin) return
    if (end - start > speechMin) this.#spans.push({ start, end })
    this.#forget()
  }

  #forget(): void {
    this.#start = undefined
    this.#pause = undefined
    this.#cut = undefined
    this.#resumed = undefined
  }
}

/** Each span longer by `padding` on both sides, or by half of a pause that is shorter than two of that. */
function padded(spans: readonly SampleSpan[], total: number, padding: number): SampleSpan[] {
  return spans.map(({ start, end }, index) => {
    const before = spans[index - 1]
    const behind = spans[index + 1]
    const share = (pause: number): number => (pause < 2 * padding ? Math.floor(pause / 2) : padding)
    return {
      start: Math.floor(Math.max(0, start - (before === undefined ? padding : share(start - before.end)))),
      end: Math.floor(Math.min(total, end + (behind === undefined ? padding : share(behind.start - end))))
    }
  })
}
