import { SAMPLE_RATE } from '../audio-limits.ts'
import { fourierTransform } from './fourier.ts'
import { type MelFilter, melFilters } from './mel-filters.ts'

/** Samples of a Fourier transform: 25 ms. */
const FFT_SIZE = 400

/** Samples from one frame to the next: 10 ms. */
const HOP = 160

const FREQUENCIES = FFT_SIZE / 2 + 1

/** The least power that is told apart from none, and its logarithm. */
const POWER_MIN = 1e-10
const SILENCE = -10

/** Seconds that Whisper hears at once. */
export const WINDOW_SECONDS = 30

/** Samples that Whisper hears at once. */
export const WINDOW_SAMPLES = WINDOW_SECONDS * SAMPLE_RATE

/** Frames of a window. */
export const WINDOW_FRAMES = WINDOW_SAMPLES / HOP

const transform = fourierTransform(FFT_SIZE)

/** Hann's window, periodic, as torch makes it. */
const hann = Float64Array.from({ length: FFT_SIZE }, (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / FFT_SIZE))

const filtersOf = new Map<number, readonly MelFilter[]>()

/**
 * What Whisper hears of a window of 30 seconds, as `log_mel_spectrogram` of OpenAI's code: power of 25 ms each 10 ms,
 * summed by Slaney's filters, its logarithm to base 10 cut at 8 below the loudest, then `(x + 4) / 4`.
 *
 * @param samples f32 at 16 kHz, one channel; a shorter window ends in silence, and what is over 30 s is not heard
 * @param bins mel bins: 80, and 128 of `large-v3`
 * @returns f32 [bins, 3000]
 */
export function logMel(samples: Float32Array, bins: number): Float32Array<ArrayBuffer> {
  const filters = filtersOf.get(bins) ?? melFilters(bins, FFT_SIZE)
  filtersOf.set(bins, filters)
  const mel = new Float32Array(bins * WINDOW_FRAMES).fill(SILENCE)
  const padded = reflected(samples)
  const real = new Float64Array(FFT_SIZE)
  const imaginary = new Float64Array(FFT_SIZE)
  const outReal = new Float64Array(FFT_SIZE)
  const outImaginary = new Float64Array(FFT_SIZE)
  const even = new Float64Array(FREQUENCIES)
  const odd = new Float64Array(FREQUENCIES)
  let loudest = SILENCE
  // two frames at once, one as the imaginary part of the other: both are real
  const frames = framesHeard(samples)
  for (let frame = 0; frame < frames; frame += 2) {
    const begin = frame * HOP
    for (let at = 0; at < FFT_SIZE; at++) {
      const weight = hann[at] ?? 0
      real[at] = (padded[begin + at] ?? 0) * weight
      imaginary[at] = (padded[begin + HOP + at] ?? 0) * weight
    }
    transform.run(real, imaginary, outReal, outImaginary)
    powersOf(outReal, outImaginary, even, odd)
    for (let bin = 0; bin < bins; bin++) {
      const first = logOf(filters[bin], even)
      const second = logOf(filters[bin], odd)
      mel[bin * WINDOW_FRAMES + frame] = first
      mel[bin * WINDOW_FRAMES + frame + 1] = second
      loudest = Math.max(loudest, first, second)
    }
  }
  for (let at = 0; at < mel.length; at++) mel[at] = (Math.max(mel[at] ?? 0, loudest - 8) + 4) / 4
  return mel
}

/** Frames that reach into the samples; those behind them are silence. */
function framesHeard(samples: Float32Array): number {
  return Math.min(WINDOW_FRAMES, Math.ceil((samples.length + FFT_SIZE / 2) / HOP))
}

/** A whole window, with half a transform's samples mirrored on both sides. */
function reflected(samples: Float32Array): Float32Array {
  const side = FFT_SIZE / 2
  const padded = new Float32Array(WINDOW_SAMPLES + FFT_SIZE)
  padded.set(samples.subarray(0, WINDOW_SAMPLES), side)
  for (let at = 1; at <= side; at++) {
    padded[side - at] = padded[side + at] ?? 0
    padded[side + WINDOW_SAMPLES - 1 + at] = padded[side + WINDOW_SAMPLES - 1 - at] ?? 0
  }
  return padded
}

/** The powers of two real signals that were transformed as one complex signal. */
function powersOf(real: Float64Array, imaginary: Float64Array, first: Float64Array, second: Float64Array): void {
  for (let at = 0; at < FREQUENCIES; at++) {
    const mirror = (FFT_SIZE - at) % FFT_SIZE
    const r = real[at] ?? 0
    const i = imaginary[at] ?? 0
    const mr = real[mirror] ?? 0
    const mi = imaginary[mirror] ?? 0
    first[at] = ((r + mr) ** 2 + (i - mi) ** 2) / 4
    second[at] = ((i + mi) ** 2 + (mr - r) ** 2) / 4
  }
}

function logOf(filter: MelFilter | undefined, powers: Float64Array): number {
  if (filter === undefined) return SILENCE
  const { first, weights } = filter
  let sum = 0
  for (let at = 0; at < weights.length; at++) sum += (weights[at] ?? 0) * (powers[first + at] ?? 0)
  return Math.log10(Math.max(sum, POWER_MIN))
}
