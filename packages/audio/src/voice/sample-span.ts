/** A half-open range of samples at 16 kHz, `[start, end)`. */
export interface SampleSpan {
  readonly start: number
  readonly end: number
}
