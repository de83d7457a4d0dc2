/** A picture in memory. */
export interface Picture {
  /** Pixels a side. */
  readonly width: number
  readonly height: number
  /** u8 `[height, width, 3]`: red, green and blue in sRGB. */
  readonly rgb: Uint8Array
}

/** What is known of a file before it is decoded. */
export interface PictureHead {
  readonly format: 'png' | 'jpeg' | 'webp' | 'gif'
  /** As it is looked at: turned as its EXIF says. */
  readonly width: number
  readonly height: number
  /** Whether pixels may be transparent. */
  readonly hasAlpha: boolean
}

/** How a picture comes to another size. */
export interface PictureFit {
  readonly width: number
  readonly height: number
  /**
   * - `cover`: scaled until it covers the size, and cut evenly at the sides that are longer
   * - `stretch`: each side by itself
   */
  readonly how: 'cover' | 'stretch'
  /** Default `lanczos3`. `cubic` is that of Catmull and Rom, as PIL's `BICUBIC`. */
  readonly kernel?: 'nearest' | 'cubic' | 'lanczos3'
}
