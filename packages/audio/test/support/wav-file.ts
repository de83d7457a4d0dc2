interface WavShape {
  readonly rate?: number
  readonly channels?: number
  readonly bits?: number
  /** 1 is integers, 3 floats. */
  readonly tag?: number
  readonly extensible?: boolean
  /** Chunks before the samples, already whole. */
  readonly before?: readonly Uint8Array[]
  /** Bytes behind the samples. */
  readonly behind?: Uint8Array
  /** What the chunk of samples says it has. */
  readonly dataSize?: number
}

/** A wave file of the bytes of its samples. */
export function wavFile(data: Uint8Array, shape: WavShape = {}): Uint8Array<ArrayBuffer> {
  const { rate = 16_000, channels = 1, bits = 16, tag = 1, extensible = false, before = [] } = shape
  const format = new DataView(new ArrayBuffer(extensible ? 40 : 16))
  format.setUint16(0, extensible ? 0xfffe : tag, true)
  format.setUint16(2, channels, true)
  format.setUint32(4, rate, true)
  format.setUint32(8, (rate * channels * bits) / 8, true)
  format.setUint16(12, (channels * bits) / 8, true)
  format.setUint16(14, bits, true)
  if (extensible) format.setUint16(24, tag, true)
  const parts = [chunk('fmt ', new Uint8Array(format.buffer)), ...before, chunk('data', data, shape.dataSize)]
  const body = Buffer.concat([Buffer.from('WAVE'), ...parts, shape.behind ?? Buffer.alloc(0)])
  return new Uint8Array(chunk('RIFF', body))
}

export function chunk(id: string, body: Uint8Array, size = body.length): Buffer {
  const head = Buffer.from(`${id}....`)
  head.writeUInt32LE(size, 4)
  return Buffer.concat([head, body, Buffer.alloc(body.length % 2)])
}
