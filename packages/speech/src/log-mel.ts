import { MeshError } from '@resultity/interface'

/** The log-mel spectrogram of a piece of sound, as Whisper was trained on it. */
export interface LogMel {
  /** Row by row, one a band: f32 `[bands, width]`. */
  readonly values: Float32Array
  readonly bands: number
  readonly width: number
  /** Frames of 10 ms that are sound; what is behind them in a row does not count. */
  readonly frames: number
}

/**
 * The frames `[first, first + count)`, and silence behind them up to `width`.
 *
 * @returns f32 `[bands, width]`
 * @throws MeshError `internal` for frames that are not there
 */
export function windowOf(mel: LogMel, first: number, count: number, width: number): Float32Array {
  const { values, bands, frames } = mel
  if (
    first < 0 ||
    count > width ||
    first + count > frames ||
    values.length !== bands * mel.width ||
    frames > mel.width
  ) {
    throw new MeshError('internal', `frames ${first} to ${first + count} are no window of ${frames} frames`)
  }
  const window = new Float32Array(bands * width)
  for (let band = 0; band < bands; band++) {
    window.set(values.subarray(band * mel.width + first, band * mel.width + first + count), band * width)
  }
  return window
}
