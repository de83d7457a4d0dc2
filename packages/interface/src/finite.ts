/** Whether no value is NaN or infinite. Four sums, so that a core adds them side by side. */
export function allFinite(values: Float32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0]
  let index = 0
  // a value less itself is 0, or NaN where it is no finite number, and NaN stays
  for (; index + 3 < values.length; index += 4) {
    a += (values[index] as number) - (values[index] as number)
    b += (values[index + 1] as number) - (values[index + 1] as number)
    c += (values[index + 2] as number) - (values[index + 2] as number)
    d += (values[index + 3] as number) - (values[index + 3] as number)
  }
  for (; index < values.length; index++) a += (values[index] as number) - (values[index] as number)
  return a + b + c + d === 0
}
