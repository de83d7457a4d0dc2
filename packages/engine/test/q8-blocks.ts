const BLOCK = 32
const BLOCK_BYTES = 34

/** ggml's Q8_0: blocks of 32 numbers, an f16 scale and as many signed bytes. */
export function q8Blocks(values: Float32Array): Uint8Array<ArrayBuffer> {
  const count = values.length / BLOCK
  const bytes = new Uint8Array(count * BLOCK_BYTES)
  const view = new DataView(bytes.buffer)
  for (let block = 0; block < count; block++) {
    const source = values.subarray(block * BLOCK, (block + 1) * BLOCK)
    const scale = Math.f16round(source.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) / 127)
    const start = block * BLOCK_BYTES
    view.setFloat16(start, scale, true)
    for (const [i, value] of source.entries()) view.setInt8(start + 2 + i, scale === 0 ? 0 : clamped(value / scale))
  }
  return bytes
}

function clamped(value: number): number {
  return Math.max(-127, Math.min(127, Math.round(value)))
}
