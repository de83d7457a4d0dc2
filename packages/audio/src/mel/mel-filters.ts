import { SAMPLE_RATE } from '../audio-limits.ts'

/** One triangle over the frequencies of a spectrum, without the zeros on its sides. */
export interface MelFilter {
  /** The frequency that the first weight belongs to. */
  readonly first: number
  readonly weights: Float64Array
}

/** Slaney's scale: linear up to 1000 Hz, with 15 mels there, and logarithmic above (Auditory Toolbox, 1998). */
const HERTZ_PER_MEL = 200 / 3
const LOG_FROM_HERTZ = 1000
const LOG_FROM_MEL = LOG_FROM_HERTZ / HERTZ_PER_MEL
const LOG_STEP = Math.log(6.4) / 27

function melOf(hertz: number): number {
  return hertz < LOG_FROM_HERTZ ? hertz / HERTZ_PER_MEL : LOG_FROM_MEL + Math.log(hertz / LOG_FROM_HERTZ) / LOG_STEP
}

function hertzOf(mel: number): number {
  return mel < LOG_FROM_MEL ? mel * HERTZ_PER_MEL : LOG_FROM_HERTZ * Math.exp(LOG_STEP * (mel - LOG_FROM_MEL))
}

/**
 * The filters of Whisper, which are those of librosa (`filters.mel` with its defaults): triangles that are equally wide
 * in mels, from 0 Hz to half the sample rate, each with an area of one.
 *
 * @param bins how many
 * @param fftSize samples of a window; the spectrum has `fftSize / 2 + 1` frequencies
 */
export function melFilters(bins: number, fftSize: number): MelFilter[] {
  const frequencies = Float64Array.from({ length: fftSize / 2 + 1 }, (_, index) => (index * SAMPLE_RATE) / fftSize)
  const top = melOf(SAMPLE_RATE / 2)
  const corners = Float64Array.from({ length: bins + 2 }, (_, index) => hertzOf((index * top) / (bins + 1)))
  return Array.from({ length: bins }, (_, bin) => {
    const low = corners[bin] ?? 0
    const middle = corners[bin + 1] ?? 0
    const high = corners[bin + 2] ?? 0
    const weights = frequencies.map(hertz => {
      const inside = Math.min((hertz - low) / (middle - low), (high - hertz) / (high - middle))
      // weights of librosa are f32
      return Math.fround((Math.max(0, inside) * 2) / (high - low))
    })
    const first = weights.findIndex(weight => weight > 0)
    const last = weights.findLastIndex(weight => weight > 0)
    return first < 0 ? { first: 0, weights: new Float64Array(0) } : { first, weights: weights.slice(first, last + 1) }
  })
}
