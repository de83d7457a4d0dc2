import { SAMPLE_RATE } from '../audio-limits.ts'
import { greatestDivisor, kaiser, sinc } from './windowed-sinc.ts'

/** Zero crossings of the filter on each side of a sample. */
const CROSSINGS = 32

/** Half of what is let through is at this part of the lower of both Nyquist frequencies; at all of it nothing is. */
const CUTOFF = 0.92

/** Between more phases than these a filter is drawn as a line: 105 dB down. */
const PHASES_MAX = 512

/**
 * Changes the sample rate of one channel to 16 kHz as its samples come, by a sinc in Kaiser's window, whose values are
 * laid out by phase (Smith, "Digital Audio Resampling"). The first sample stays where it is, and `n` samples become
 * `ceil(n * 16000 / rate)`. Equal levels stay equal to the last bits.
 */
export class Resampler {
  readonly #up: number
  readonly #down: number
  readonly #phases: number
  /** Samples that are needed on each side. */
  readonly #reach: number
  /** f32 [phases + 1, 2 * reach] */
  readonly #filters: Float32Array
  #held: Float32Array
  #heldCount: number
  /** Where the next sample lies: between `#at` and the one behind it in `#held`, `#phase / #up` of the way. */
  #at: number
  #phase = 0
  #taken = 0
  #given = 0

  /** @param rate samples a second of what comes */
  constructor(rate: number) {
    const divisor = greatestDivisor(rate, SAMPLE_RATE)
    this.#up = SAMPLE_RATE / divisor
    this.#down = rate / divisor
    this.#phases = Math.min(this.#up, PHASES_MAX)
    const cutoff = CUTOFF * Math.min(1, SAMPLE_RATE / rate)
    this.#reach = rate === SAMPLE_RATE ? 1 : Math.ceil(CROSSINGS / cutoff)
    this.#filters = rate === SAMPLE_RATE ? Float32Array.of(1, 0, 0, 1) : filtersOf(this.#phases, this.#reach, cutoff)
    this.#held = new Float32Array(4 * this.#reach)
    // silence before the first sample
    this.#heldCount = this.#reach - 1
    this.#at = this.#reach - 1
  }

  /** @returns the samples that what came so far decides */
  push(samples: Float32Array): Float32Array {
    this.#taken += samples.length
    this.#hold(samples)
    return this.#resample(Number.POSITIVE_INFINITY)
  }

  /** @returns the last samples, with silence behind them */
  end(): Float32Array {
    this.#hold(new Float32Array(this.#reach))
    return this.#resample(Math.ceil((this.#taken * this.#up) / this.#down))
  }

  #hold(samples: Float32Array): void {
    const needed = this.#heldCount + samples.length
    if (needed > this.#held.length) {
      const larger = new Float32Array(needed * 2)
      larger.set(this.#held.subarray(0, this.#heldCount))
      this.#held = larger
    }
    this.#held.set(samples, this.#heldCount)
    this.#heldCount = needed
  }

  #resample(countMax: number): Float32Array {
    const ready = Math.max(0, this.#heldCount - this.#reach - this.#at)
    const out = new Float32Array(Math.ceil((ready * this.#up) / this.#down) + 1)
    let count = 0
    while (this.#at + this.#reach < this.#heldCount && this.#given < countMax) {
      out[count++] = this.#sample()
      this.#given++
      this.#phase += this.#down
      this.#at += Math.floor(this.#phase / this.#up)
      this.#phase %= this.#up
    }
    this.#drop()
    return out.subarray(0, count)
  }

  #sample(): number {
    const place = (this.#phase * this.#phases) / this.#up
    const phase = Math.floor(place)
    const here = this.#filtered(phase)
    return place === phase ? here : here + (place - phase) * (this.#filtered(phase + 1) - here)
  }

  #filtered(phase: number): number {
    const taps = 2 * this.#reach
    const from = this.#at - this.#reach + 1
    const row = phase * taps
    let even = 0
    let odd = 0
    for (let tap = 0; tap < taps; tap += 2) {
      even += (this.#filters[row + tap] ?? 0) * (this.#held[from + tap] ?? 0)
      odd += (this.#filters[row + tap + 1] ?? 0) * (this.#held[from + tap + 1] ?? 0)
    }
    return even + odd
  }

  /** What no further sample needs. */
  #drop(): void {
    const done = Math.min(this.#at - this.#reach + 1, this.#heldCount)
    this.#held.copyWithin(0, done, this.#heldCount)
    this.#heldCount -= done
    this.#at -= done
  }
}

/** For each phase the weights of the samples around it; together they are one. */
function filtersOf(phases: number, reach: number, cutoff: number): Float32Array {
  const taps = 2 * reach
  const filters = new Float32Array((phases + 1) * taps)
  for (let phase = 0; phase <= phases; phase++) {
    const weights = Float64Array.from({ length: taps }, (_, tap) => {
      const distance = tap - reach + 1 - phase / phases
      return sinc(cutoff * distance) * kaiser(distance / reach)
    })
    const sum = weights.reduce((total, weight) => total + weight, 0)
    filters.set(
      weights.map(weight => weight / sum),
      phase * taps
    )
  }
  return filters
}
