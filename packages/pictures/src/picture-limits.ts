/** What one file may cost. */
export interface PictureLimits {
  /** Bytes of the file. */
  readonly bytesMax: number
  /** Pixels by its head. Each takes 4 to 8 bytes while it is decoded. */
  readonly pixelsMax: number
}

/** 25 MiB, as for recordings, and 16 megapixels, which take some 100 MB while they are decoded. */
export const DEFAULT_PICTURE_LIMITS: PictureLimits = { bytesMax: 25 * 1024 * 1024, pixelsMax: 16 * 1024 * 1024 }
