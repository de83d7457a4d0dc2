import { greatestDivisor, kaiser, sinc } from './windowed-sinc.ts'

/** Zero crossings of the filter on each side of a sample, at the lower of both rates. */
const CROSSINGS = 24

/** Half of what is let through is at this part of the lower of both Nyquist frequencies. */
const CUTOFF = 0.94

/**
 * Changes the rate of one channel as its samples come, by a sinc in Kaiser's window. `n` samples become
 * `ceil(n * to / from)`, and the first stays where it is.
 */
export class RateChange {
  readonly #from: number
  readonly #to: number
  readonly #reach: number
  readonly #cutoff: number
  /** f64 [phases][2 * reach]: filters by where between two samples the new one lies. */
  readonly #filters = new Map<number, Float64Array>()
  #held: Int16Array = new Int16Array()
  /** Number of the first sample that is held. */
  #first = 0
  #taken = 0
  #given = 0

  /** @param from rate of what comes @param to rate of what is given, both whole numbers in Hz */
  constructor(from: number, to: number) {
    const divisor = greatestDivisor(from, to)
    this.#from = from / divisor
    this.#to = to / divisor
    this.#cutoff = CUTOFF * Math.min(1, to / from)
    this.#reach = Math.ceil(CROSSINGS / this.#cutoff)
  }

  /** @returns those new samples for which all that is needed has come */
  take(samples: Int16Array): Int16Array {
    if (this.#from === this.#to) return samples
    this.#taken += samples.length
    const held = new Int16Array(this.#held.length + samples.length)
    held.set(this.#held)
    held.set(samples, this.#held.length)
    this.#held = held
    return this.#give(Math.ceil(((this.#taken - this.#reach) * this.#to) / this.#from))
  }

  /** The last samples: silence follows. */
  end(): Int16Array {
    return this.#from === this.#to ? new Int16Array() : this.#give(Math.ceil((this.#taken * this.#to) / this.#from))
  }

  #give(until: number): Int16Array {
    const made = new Int16Array(Math.max(0, until - this.#given))
    for (let index = 0; index < made.length; index++) made[index] = this.#sample(this.#given + index)
    this.#given += made.length
    const needed = Math.floor((this.#given * this.#from) / this.#to) - this.#reach + 1
    if (needed > this.#first) {
      this.#held = this.#held.slice(needed - this.#first)
      this.#first = needed
    }
    return made
  }

  #sample(index: number): number {
    const whole = Math.floor((index * this.#from) / this.#to)
    const filter = this.#filterOf((index * this.#from) % this.#to)
    const start = whole - this.#reach + 1 - this.#first
    let sum = 0
    for (let tap = 0; tap < filter.length; tap++) sum += (this.#held[start + tap] ?? 0) * (filter[tap] ?? 0)
    return Math.max(-32_768, Math.min(32_767, Math.round(sum)))
  }

  #filterOf(phase: number): Float64Array {
    const known = this.#filters.get(phase)
    if (known !== undefined) return known
    const filter = Float64Array.from({ length: 2 * this.#reach }, (_, tap) => {
      const distance = tap - this.#reach + 1 - phase / this.#to
      return sinc(this.#cutoff * distance) * kaiser(distance / this.#reach)
    })
    // equal levels stay equal
    const sum = filter.reduce((total, tap) => total + tap, 0)
    for (const [tap, value] of filter.entries()) filter[tap] = value / sum
    this.#filters.set(phase, filter)
    return filter
  }
}
