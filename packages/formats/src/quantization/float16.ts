let table: Float32Array | undefined

/** The value of every IEEE 754 half, indexed by its 16 bits: one load instead of a conversion per block. */
function halves(): Float32Array {
  if (table === undefined) {
    const bits = new Uint16Array(65_536)
    for (let index = 0; index < bits.length; index += 1) bits[index] = index
    table = new Float32Array(new Float16Array(bits.buffer))
  }
  return table
}

/** The 16 bits at `offset`, little endian. */
export function bits16At(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] ?? 0) | ((bytes[offset + 1] ?? 0) << 8)
}

/** The half at `offset`, little endian. */
export function halfAt(bytes: Uint8Array, offset: number): number {
  return halves()[bits16At(bytes, offset)] ?? 0
}
