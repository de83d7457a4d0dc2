import { type AudioLimits, SAMPLE_RATE } from '../audio-limits.ts'
import { Resampler } from '../resampling/resampler.ts'
import type { AudioBlock } from './audio-block.ts'
import { TrackLength } from './track-length.ts'

/** Grown by doubling: the first minute. */
const FIRST_SAMPLES = 60 * SAMPLE_RATE

/** Collects blocks as one channel at 16 kHz. */
export class MonoTrack {
  readonly #samplesMax: number
  readonly #length: TrackLength
  #samples = new Float32Array(FIRST_SAMPLES)
  #count = 0
  #rate = 0
  #resampler: Resampler | undefined

  constructor(limits: AudioLimits) {
    this.#samplesMax = Math.floor(limits.secondsMax * SAMPLE_RATE)
    this.#length = new TrackLength(limits)
  }

  /**
   * Adds a block: the mean of its channels.
   * @throws MeshError as {@link TrackLength.add} does
   */
  add(block: AudioBlock): void {
    this.#length.add(block)
    if (block.rate !== this.#rate) this.#turnTo(block.rate)
    this.#append(this.#resampler?.push(meanOf(block.channels)) ?? new Float32Array(0))
  }

  /**
   * @returns all of it, f32 from -1 to 1
   * @throws MeshError as {@link TrackLength.end} does
   */
  end(): Float32Array<ArrayBuffer> {
    this.#append(this.#resampler?.end() ?? new Float32Array(0))
    return new Float32Array(this.#samples.buffer.transfer(4 * this.#length.end()))
  }

  #turnTo(rate: number): void {
    this.#append(this.#resampler?.end() ?? new Float32Array(0))
    this.#rate = rate
    this.#resampler = new Resampler(rate)
  }

  #append(samples: Float32Array): void {
    const count = this.#count + samples.length
    if (count > this.#samples.length) {
      const length = Math.min(Math.max(2 * this.#samples.length, count), this.#samplesMax)
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
