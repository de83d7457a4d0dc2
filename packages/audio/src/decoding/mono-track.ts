import { audioInvalid } from '../audio-invalid.ts'
import { type AudioLimits, RATE_MAX, RATE_MIN, SAMPLE_RATE } from '../audio-limits.ts'
import { Resampler } from '../resampling/resampler.ts'
import type { AudioBlock } from './audio-block.ts'

/** Grown by doubling: the first minute. */
const FIRST_SAMPLES = 60 * SAMPLE_RATE

/** Collects blocks as one channel at 16 kHz. */
export class MonoTrack {
  readonly #limits: AudioLimits
  #samples = new Float32Array(FIRST_SAMPLES)
  #count = 0
  #rate = 0
  #resampler: Resampler | undefined

  constructor(limits: AudioLimits) {
    this.#limits = limits
  }

  /**
   * Adds a block: the mean of its channels. The rate may change from block to block, as in radio recordings.
   * @throws MeshError `invalid_request`: `unsupported`, `too_long`
   */
  add({ channels, rate }: AudioBlock): void {
    if (!Number.isInteger(rate) || rate < RATE_MIN || rate > RATE_MAX) {
      throw audioInvalid('unsupported', `the audio has ${rate} samples a second; ${RATE_MIN} to ${RATE_MAX} are taken`)
    }
    const { channelsMax } = this.#limits
    if (channels.length > channelsMax) {
      throw audioInvalid('unsupported', `the audio has ${channels.length} channels; at most ${channelsMax} are taken`)
    }
    if (rate !== this.#rate) this.#turnTo(rate)
    this.#append(this.#resampler?.push(meanOf(channels)) ?? new Float32Array(0))
  }

  /**
   * @returns all of it, f32 from -1 to 1
   * @throws MeshError `invalid_request`: `empty`, `too_long`
   */
  end(): Float32Array<ArrayBuffer> {
    this.#append(this.#resampler?.end() ?? new Float32Array(0))
    if (this.#count === 0) throw audioInvalid('empty', 'the audio has no samples')
    return new Float32Array(this.#samples.buffer.transfer(4 * this.#count))
  }

  #turnTo(rate: number): void {
    this.#append(this.#resampler?.end() ?? new Float32Array(0))
    this.#rate = rate
    this.#resampler = new Resampler(rate)
  }

  #append(samples: Float32Array): void {
    const count = this.#count + samples.length
    const { secondsMax } = this.#limits
    if (count > secondsMax * SAMPLE_RATE) {
      throw audioInvalid('too_long', `the audio is longer than ${secondsMax} seconds`)
    }
    if (count > this.#samples.length) {
      const length = Math.min(Math.max(2 * this.#samples.length, count), Math.floor(secondsMax * SAMPLE_RATE))
      this.#samples = new Float32Array(this.#samples.buffer.transfer(4 * length))
    }
    for (let at = 0; at < samples.length; at++) {
      // filters ring over full scale
      this.#samples[this.#count + at] = Math.max(-1, Math.min(1, samples[at] ?? 0))
    }
    this.#count = count
  }
}

/** The mean of the channels; what is no number, as floats of a file may be, is silence. */
function meanOf(channels: readonly Float32Array[]): Float32Array {
  const mean = new Float32Array(channels[0]?.length ?? 0)
  for (const channel of channels) {
    for (let at = 0; at < mean.length; at++) {
      const sample = channel[at] ?? 0
      if (Number.isFinite(sample)) mean[at] = (mean[at] ?? 0) + Math.max(-4, Math.min(4, sample)) / channels.length
    }
  }
  return mean
}
