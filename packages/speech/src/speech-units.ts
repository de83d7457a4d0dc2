/** Seconds from one timestamp token to the next, and from one position of the encoder to the next. */
export const TIMESTAMP_SECONDS = 0.02

/** Frames of the spectrogram in a second. */
export const FRAMES_PER_SECOND = 100

/** Frames to one position of the encoder. */
export const FRAMES_PER_POSITION = 2

/** The UTF-8 bytes that a token writes; none for one that steers, or is not there. */
export type TokenBytes = (token: number) => Uint8Array | undefined
