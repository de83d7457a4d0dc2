import { Encoder } from '@evan/opus'
import { RateChange } from '../resampling/rate-change.ts'
import type { AudioEncoder } from './audio-encoder.ts'
import { OggPages } from './ogg-pages.ts'
import { littleEndian } from './pcm-encoder.ts'

/** A rate that Opus knows, at which a voice keeps all of its sound. */
const RATE = 24_000

/** 20 ms. */
const FRAME_SAMPLES = RATE / 50

/** Granules count samples at 48 kHz, whatever the rate (RFC 7845, section 4). */
const GRANULES_PER_SAMPLE = 48_000 / RATE

/** Frames on a page: a fifth of a second, so that a stream is heard as it comes. */
const FRAMES_PER_PAGE = 10

/** `OPUS_GET_LOOKAHEAD_REQUEST` of opus_defines.h: samples that what comes out lags behind. */
const GET_LOOKAHEAD = 4027

/** Bits a second: a voice sounds clean. */
const BIT_RATE = 32_000

const SERIAL = 1

/** Opus in Ogg (RFC 6716, RFC 7845), one channel. */
export class OpusEncoder implements AudioEncoder {
  readonly #rate: RateChange
  readonly #encoder = new Encoder({ channels: 1, sample_rate: RATE, application: 'voip' })
  readonly #pages = new OggPages(SERIAL)
  readonly #preSkip: number
  readonly #held: Int16Array = new Int16Array(FRAME_SAMPLES)
  #heldCount = 0
  #frames: Uint8Array[] = []
  #samples = 0
  #encoded = 0
  #begun = false

  /** @param rate of what comes, in Hz */
  constructor(rate: number) {
    this.#rate = new RateChange(rate, RATE)
    this.#encoder.bitrate = BIT_RATE
    this.#preSkip = this.#encoder.ctl(GET_LOOKAHEAD) * GRANULES_PER_SAMPLE
  }

  encode(samples: Int16Array): Uint8Array {
    const parts = [this.#begin(), ...this.#take(this.#rate.take(samples))]
    return Buffer.concat(parts)
  }

  finish(): Uint8Array {
    const parts = [this.#begin(), ...this.#take(this.#rate.end())]
    const granule = this.#preSkip + this.#samples * GRANULES_PER_SAMPLE
    // the encoder gives samples later than it takes them: silence pushes the last ones out
    while (this.#encoded * GRANULES_PER_SAMPLE < granule) this.#frame(FRAME_SAMPLES - this.#heldCount)
    parts.push(this.#pages.page(this.#frames, granule, { last: true }))
    return Buffer.concat(parts)
  }

  #begin(): Uint8Array {
    if (this.#begun) return new Uint8Array()
    this.#begun = true
    const head = Buffer.alloc(19)
    head.write('OpusHead', 0, 'latin1')
    // version, channels
    head[8] = 1
    head[9] = 1
    head.writeUInt16LE(this.#preSkip, 10)
    head.writeUInt32LE(RATE, 12)
    const vendor = 'resultity'
    const tags = Buffer.alloc(8 + 4 + vendor.length + 4)
    tags.write('OpusTags', 0, 'latin1')
    tags.writeUInt32LE(vendor.length, 8)
    tags.write(vendor, 12, 'latin1')
    return Buffer.concat([this.#pages.page([head], 0), this.#pages.page([tags], 0)])
  }

  #take(samples: Int16Array): Uint8Array[] {
    const pages: Uint8Array[] = []
    this.#samples += samples.length
    for (const sample of samples) {
      this.#held[this.#heldCount++] = sample
      if (this.#heldCount < FRAME_SAMPLES) continue
      // the last page is written by `finish`
      if (this.#frames.length === FRAMES_PER_PAGE) {
        pages.push(this.#pages.page(this.#frames, this.#encoded * GRANULES_PER_SAMPLE))
        this.#frames = []
      }
      this.#frame(0)
    }
    return pages
  }

  /** @param silence samples that the frame lacks */
  #frame(silence: number): void {
    this.#held.fill(0, FRAME_SAMPLES - silence)
    // a copy: the encoder gives a view of its own memory
    this.#frames.push(Uint8Array.from(this.#encoder.encode(littleEndian(this.#held))))
    this.#encoded += FRAME_SAMPLES
    this.#heldCount = 0
  }
}
