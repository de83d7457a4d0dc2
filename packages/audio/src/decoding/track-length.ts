import { audioInvalid } from '../audio-invalid.ts'
import { type AudioLimits, RATE_MAX, RATE_MIN, SAMPLE_RATE } from '../audio-limits.ts'
import type { AudioBlock } from './audio-block.ts'

/**
 * Counts the samples that blocks are as one channel at 16 kHz, and checks the blocks against the limits. It keeps none of
 * them: a file is measured in the memory of one block.
 */
export class TrackLength {
  readonly #limits: AudioLimits
  #rate = SAMPLE_RATE
  /** Samples of blocks before the rate changed, and such of the rate that comes now, as they came. */
  #before = 0
  #taken = 0

  constructor(limits: AudioLimits) {
    this.#limits = limits
  }

  /** Of all blocks so far. */
  get samples(): number {
    return this.#before + Math.ceil((this.#taken * SAMPLE_RATE) / this.#rate)
  }

  /**
   * Adds a block. The rate may change from block to block, as in radio recordings.
   * @throws MeshError `invalid_request`: `unsupported`, `too_long`
   */
  add({ channels, rate }: AudioBlock): void {
    if (!Number.isInteger(rate) || rate < RATE_MIN || rate > RATE_MAX) {
      throw audioInvalid('unsupported', `the audio has ${rate} samples a second; ${RATE_MIN} to ${RATE_MAX} are taken`)
    }
    const { channelsMax, secondsMax } = this.#limits
    if (channels.length > channelsMax) {
      throw audioInvalid('unsupported', `the audio has ${channels.length} channels; at most ${channelsMax} are taken`)
    }
    if (rate !== this.#rate) {
      this.#before = this.samples
      this.#taken = 0
      this.#rate = rate
    }
    this.#taken += channels[0]?.length ?? 0
    if (this.samples > secondsMax * SAMPLE_RATE) {
      throw audioInvalid('too_long', `the audio is longer than ${secondsMax} seconds`)
    }
  }

  /**
   * @returns how many samples there are
   * @throws MeshError `invalid_request`: `empty`
   */
  end(): number {
    if (this.samples === 0) throw audioInvalid('empty', 'the audio has no samples')
    return this.samples
  }
}
