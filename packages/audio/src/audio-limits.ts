/** What one file may cost. */
export interface AudioLimits {
  /** Bytes of the file. */
  readonly bytesMax: number
  /** Seconds of sound, counted while they are decoded: headers are not believed. A second takes 64 kB. */
  readonly secondsMax: number
  readonly channelsMax: number
}

/**
 * 25 MiB as OpenAI's API has it, and two hours, which are 460 MB of samples: a meeting, as an MP3 of 29 kbit/s. Samples stay
 * f32, since all that reads them wants that; who keeps many of them has `encodePcm`, which takes half.
 */
export const DEFAULT_AUDIO_LIMITS: AudioLimits = { bytesMax: 25 * 1024 * 1024, secondsMax: 2 * 3600, channelsMax: 16 }

/** Samples a second of everything that is decoded. */
export const SAMPLE_RATE = 16_000

/** Rates of files that are taken, in samples a second. */
export const RATE_MIN = 8000
export const RATE_MAX = 192_000
