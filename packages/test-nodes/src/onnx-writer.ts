/** Element types of tensors: `TensorProto.DataType`. */
export const FLOAT32 = 1
export const INT64 = 7

/** What an ONNX model is made of; fields as bytes of protobuf. */
export interface ModelParts {
  readonly name: string
  readonly nodes: readonly Uint8Array[]
  readonly constants: readonly Uint8Array[]
  readonly inputs: readonly Uint8Array[]
  readonly output: Uint8Array
  /** Bytes behind the model's own fields. */
  readonly more?: Uint8Array | undefined
}

/** An ONNX model of the standard operators, version 17. */
export function model({ name, nodes, constants, inputs, output, more }: ModelParts): Uint8Array {
  const graph = join(
    ...nodes,
    field(2, text(name)),
    ...constants,
    ...inputs.map(one => field(11, one)),
    field(12, output)
  )
  return join(number(1, 8), field(7, graph), opset('', 17), more ?? new Uint8Array())
}

/** A field of a model: a set of operators, by its domain. */
export function opset(domain: string, version: number): Uint8Array {
  return field(8, join(field(1, text(domain)), number(2, version)))
}

/** A field of a protobuf message that holds bytes: for nodes that a test adds. */
export function field(id: number, bytes: Uint8Array): Uint8Array {
  return join(varint(8 * id + 2), varint(bytes.length), bytes)
}

/** A field of a protobuf message that holds a number. */
export function number(id: number, value: number): Uint8Array {
  return join(varint(8 * id), varint(value))
}

export function operator(
  type: string,
  inputs: readonly string[],
  output: string,
  ...attributes: Uint8Array[]
): Uint8Array {
  return field(
    1,
    join(
      ...inputs.map(input => field(1, text(input))),
      field(2, text(output)),
      field(4, text(type)),
      ...attributes.map(one => field(5, one))
    )
  )
}

export function attribute(name: string, value: number): Uint8Array {
  return join(field(1, text(name)), number(3, value), number(20, 2))
}

export function constant(name: string, type: number, shape: readonly number[], bytes: Uint8Array): Uint8Array {
  return field(5, join(...shape.map(size => number(1, size)), number(2, type), field(8, text(name)), field(9, bytes)))
}

export function value(name: string, type: number, dimensions: number): Uint8Array {
  const shape = Array.from({ length: dimensions }, (_, index) => field(1, field(2, text(`${name}_${index}`))))
  return join(field(1, text(name)), field(2, field(1, join(number(1, type), field(2, join(...shape))))))
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Uint8Array.from([...bytes, rest])
    bytes.push((rest & 0x7f) | 0x80)
  }
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

export function f32(...values: number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer)
}

export function i64(...values: number[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(values, BigInt).buffer)
}

export function join(...parts: Uint8Array[]): Uint8Array {
  return Buffer.concat(parts)
}
