import { AttributeType, DataLocation, ElementType, encodeModel, IR_VERSION } from './onnx-schema.ts'

/** Microsoft's operators beyond the ONNX standard: quantized matrices, grouped-query attention, fused norms. */
const CONTRIB_DOMAIN = 'com.microsoft'

/** Operators of ONNX's own domain; every other one that graphs use is in {@link CONTRIB_DOMAIN}. */
const standardOperators: ReadonlySet<string> = new Set([
  'Add',
  'ArgMax',
  'AveragePool',
  'Cast',
  'Clip',
  'Concat',
  'Conv',
  'ConvTranspose',
  'Cos',
  'Div',
  'Elu',
  'Equal',
  'Expand',
  'Gather',
  'Gemm',
  'Greater',
  'Identity',
  'If',
  'LSTM',
  'LayerNormalization',
  'MatMul',
  'Max',
  'Mul',
  'NonZero',
  'Pad',
  'ReduceL2',
  'ReduceSum',
  'Reshape',
  'Resize',
  'Shape',
  'Sigmoid',
  'SimplifiedLayerNormalization',
  'Sin',
  'Slice',
  'Softmax',
  'Split',
  'Squeeze',
  'Tanh',
  'TensorScatter',
  'TopK',
  'Transpose',
  'Unsqueeze',
  'Where'
])

/** A number of positions that differs from run to run is written as its name. */
type Dimension = number | string

/** What a constant of the graph may hold: f32, u8 or i64. */
type ConstantData = Float32Array | Uint8Array | Int32Array | BigInt64Array

/** Integers are ONNX ints, `{ float }` an ONNX float, `{ text }` a string, arrays ONNX ints lists. */
export type Attribute =
  | number
  | { readonly float: number }
  | { readonly text: string }
  | readonly number[]
  | { readonly graph: GraphProto }

/** A graph as the plain object that the schema describes. */
type GraphProto = Readonly<Record<string, unknown>>

/** A branch of a choice. Its nodes may read any edge of the graph around it; names are unique across both. */
export interface Branch {
  readonly graph: GraphWriter
  readonly outputs: readonly string[]
}

export interface ExternalTensor {
  readonly name: string
  readonly elementType: ElementType
  readonly dims: readonly number[]
  /** File name, relative to the graph's own directory. */
  readonly location: string
  readonly offset: number
  readonly bytes: number
}

/** Collects nodes, tensors, inputs and outputs, and serializes them as an ONNX model. */
export class GraphWriter {
  readonly #nodes: Record<string, unknown>[] = []
  readonly #initializers = new Map<string, Record<string, unknown>>()
  readonly #inputs: Record<string, unknown>[] = []
  readonly #outputs: Record<string, unknown>[] = []

  /** Adds an operator with one output and returns the output's name, which is also the node's. */
  node(
    operator: string,
    output: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {}
  ): string {
    this.nodeWithOutputs(operator, [output], inputs, attributes)
    return output
  }

  /** Adds an operator; an empty string stands for an input or output that is left out. */
  nodeWithOutputs(
    operator: string,
    outputs: readonly string[],
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {}
  ): void {
    this.#nodes.push({
      name: outputs.find(output => output !== ''),
      opType: operator,
      domain: standardOperators.has(operator) ? '' : CONTRIB_DOMAIN,
      input: [...inputs],
      output: [...outputs],
      attribute: Object.entries(attributes).map(([name, value]) => attributeProto(name, value))
    })
  }

  /** An operator that runs one of two branches, by a bool scalar. */
  choice(
    condition: string,
    outputs: readonly string[],
    branches: { readonly whenTrue: Branch; readonly whenFalse: Branch }
  ): void {
    this.nodeWithOutputs('If', outputs, [condition], {
      then_branch: { graph: branchProto(branches.whenTrue) },
      else_branch: { graph: branchProto(branches.whenFalse) }
    })
  }

  input(name: string, elementType: ElementType, shape: readonly Dimension[]): string {
    this.#inputs.push(valueInfo(name, elementType, shape))
    return name
  }

  output(name: string, elementType: ElementType, shape: readonly Dimension[]): void {
    this.#outputs.push(valueInfo(name, elementType, shape))
  }

  /** A small constant, kept in the graph. The same name may be asked for again. */
  constant(name: string, data: ConstantData, dims: readonly number[]): string {
    this.#initializers.set(name, {
      name,
      dims: [...dims],
      dataType: constantType(data),
      rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    })
    return name
  }

  /** A tensor in a weight file, mapped and not read. The same name may be asked for again. */
  external(tensor: ExternalTensor): string {
    this.#initializers.set(tensor.name, {
      name: tensor.name,
      dims: [...tensor.dims],
      dataType: tensor.elementType,
      dataLocation: DataLocation.external,
      externalData: [
        { key: 'location', value: tensor.location },
        { key: 'offset', value: String(tensor.offset) },
        { key: 'length', value: String(tensor.bytes) }
      ]
    })
    return tensor.name
  }

  /** The ONNX model, serialized. */
  finish(name: string): Uint8Array {
    return encodeModel({
      irVersion: IR_VERSION,
      producerName: 'resultity',
      opsetImport: [
        { domain: '', version: 24 },
        { domain: CONTRIB_DOMAIN, version: 1 }
      ],
      graph: this.proto(name)
    })
  }

  /** The graph alone, for a branch of another. */
  proto(name: string): GraphProto {
    return {
      name,
      node: this.#nodes,
      initializer: [...this.#initializers.values()],
      input: this.#inputs,
      output: this.#outputs
    }
  }
}

function constantType(data: ConstantData): ElementType {
  if (data instanceof Float32Array) return ElementType.float32
  if (data instanceof Int32Array) return ElementType.int32
  return data instanceof Uint8Array ? ElementType.uint8 : ElementType.int64
}

function attributeProto(name: string, value: Attribute): Record<string, unknown> {
  if (typeof value === 'number') return { name, type: AttributeType.int, i: value }
  if ('float' in value) return { name, type: AttributeType.float, f: value.float }
  if ('text' in value) return { name, type: AttributeType.string, s: new TextEncoder().encode(value.text) }
  if ('graph' in value) return { name, type: AttributeType.graph, g: value.graph }
  return { name, type: AttributeType.ints, ints: [...value] }
}

/** The types of a branch's outputs are those of its operators. */
function branchProto({ graph, outputs }: Branch): GraphProto {
  return { ...graph.proto(outputs.join(' ')), output: outputs.map(name => ({ name })) }
}

function valueInfo(name: string, elementType: ElementType, shape: readonly Dimension[]): Record<string, unknown> {
  const dim = shape.map(size => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }))
  return { name, type: { tensorType: { elemType: elementType, shape: { dim } } } }
}
