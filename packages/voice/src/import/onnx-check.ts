import { type ProtobufField, protobufFields } from './protobuf-fields.ts'

/** An input or output of a graph. */
export interface GraphValue {
  readonly name: string
  /** `TensorProto.DataType`; 0 for what is no tensor. */
  readonly elementType: number
}

/** What is known of a graph after it was read once, without any of its weights. */
export interface GraphSummary {
  readonly inputs: readonly GraphValue[]
  readonly outputs: readonly GraphValue[]
}

/** What a graph may have beside standard operators. */
export interface GraphRules {
  /** Operators of the runtime itself, each as `DOMAIN:NAME`. */
  readonly operators: ReadonlySet<string>
  /** Domains that the model may name without using them. */
  readonly domains: ReadonlySet<string>
}

const STANDARD_ALONE: GraphRules = { operators: new Set(), domains: new Set() }

/** Why a graph is not run here. Whoever reads it says of which file. */
export class GraphRefused extends Error {}

/** Nodes of one file, those of nested graphs included. Voices have some thousands. */
const NODES_MAX = 65_536

/** Graphs within graphs. Voices have none, or one for a condition. */
const DEPTH_MAX = 4

/** The newest version of the standard operators that the runtime knows. */
const OPSET_MAX = 24

/** The standard operators have two names: none, and the full one. */
const STANDARD_DOMAINS: ReadonlySet<string> = new Set(['', 'ai.onnx'])

/** Repeat a graph as often as data say: a run of it need not end. */
const REPEATING: ReadonlySet<string> = new Set(['Loop', 'Scan', 'SequenceMap'])

// Field numbers of https://github.com/onnx/onnx/blob/v1.19.0/onnx/onnx.proto3
const Model = { graph: 7, opsets: 8, training: 20, functions: 25 } as const
const Opset = { domain: 1, version: 2 } as const
const Graph = { nodes: 1, initializers: 5, inputs: 11, outputs: 12, sparseInitializers: 15 } as const
const Node = { operator: 4, attributes: 5, domain: 7 } as const
const Attribute = { tensor: 5, graph: 6, tensors: 10, graphs: 11, sparseTensor: 22, sparseTensors: 23 } as const
const Tensor = { name: 8, externalData: 13, dataLocation: 14 } as const
const SparseTensor = { values: 1, indices: 2 } as const
const Value = { name: 1, type: 2 } as const

/**
 * Reads a whole ONNX model that somebody else made, and refuses what could reach beyond it or keep a runtime busy for ever:
 * weights in other files, operators that are neither standard ones nor named by `rules`, functions, training, loops.
 *
 * @throws GraphRefused; ProtobufError where the bytes are no message
 */
export function summarizeGraph(model: Uint8Array, rules: GraphRules = STANDARD_ALONE): GraphSummary {
  const check = new GraphCheck(rules)
  let summary: GraphSummary | undefined
  for (const field of protobufFields(model)) {
    if (field.number === Model.training) throw new GraphRefused('it has a part for training')
    if (field.number === Model.functions) throw new GraphRefused('it defines operators of its own')
    if (field.number === Model.opsets) checkOpset(bytesOf(field), rules)
    if (field.number !== Model.graph) continue
    if (summary !== undefined) throw new GraphRefused('it has two graphs')
    summary = check.graph(bytesOf(field), 0)
  }
  if (summary === undefined) throw new GraphRefused('it has no graph')
  return summary
}

class GraphCheck {
  readonly #rules: GraphRules
  #nodeCount = 0

  constructor(rules: GraphRules) {
    this.#rules = rules
  }

  graph(bytes: Uint8Array, depth: number): GraphSummary {
    if (depth > DEPTH_MAX) throw new GraphRefused(`its graphs lie more than ${DEPTH_MAX} deep in each other`)
    const inputs: GraphValue[] = []
    const outputs: GraphValue[] = []
    for (const field of protobufFields(bytes)) {
      if (field.number === Graph.nodes) this.#node(bytesOf(field), depth)
      else if (field.number === Graph.initializers) checkTensor(bytesOf(field))
      else if (field.number === Graph.sparseInitializers) checkSparseTensor(bytesOf(field))
      else if (field.number === Graph.inputs) inputs.push(graphValueOf(bytesOf(field)))
      else if (field.number === Graph.outputs) outputs.push(graphValueOf(bytesOf(field)))
    }
    return { inputs, outputs }
  }

  #node(bytes: Uint8Array, depth: number): void {
    if (++this.#nodeCount > NODES_MAX) throw new GraphRefused(`it has more than ${NODES_MAX} nodes`)
    let operator = ''
    let domain = ''
    for (const field of protobufFields(bytes)) {
      if (field.number === Node.operator) operator = textOf(field)
      if (field.number === Node.domain) domain = textOf(field)
      if (field.number === Node.attributes) this.#attribute(bytesOf(field), depth)
    }
    if (!STANDARD_DOMAINS.has(domain) && !this.#rules.operators.has(`${domain}:${operator}`)) {
      const name = operator.slice(0, 64)
      throw new GraphRefused(`it has the operator ${name} of "${domain.slice(0, 64)}", which is no standard one`)
    }
    if (REPEATING.has(operator)) throw new GraphRefused(`it has the operator ${operator}, whose runs have no bound`)
  }

  #attribute(bytes: Uint8Array, depth: number): void {
    for (const field of protobufFields(bytes)) {
      switch (field.number) {
        case Attribute.tensor:
        case Attribute.tensors:
          checkTensor(bytesOf(field))
          break
        case Attribute.sparseTensor:
        case Attribute.sparseTensors:
          checkSparseTensor(bytesOf(field))
          break
        case Attribute.graph:
        case Attribute.graphs:
          this.graph(bytesOf(field), depth + 1)
      }
    }
  }
}

function checkOpset(bytes: Uint8Array, { domains }: GraphRules): void {
  let domain = ''
  let version = 0
  for (const field of protobufFields(bytes)) {
    if (field.number === Opset.domain) domain = textOf(field)
    if (field.number === Opset.version && field.kind === 'varint') version = field.value
  }
  if (domains.has(domain)) return
  if (!STANDARD_DOMAINS.has(domain)) {
    throw new GraphRefused(`it uses operators of "${domain.slice(0, 64)}", which are no standard ones`)
  }
  if (version < 1 || version > OPSET_MAX) throw new GraphRefused(`its operators are of version ${version}`)
}

function checkTensor(bytes: Uint8Array): void {
  let name = ''
  let external = false
  for (const field of protobufFields(bytes)) {
    if (field.number === Tensor.name) name = textOf(field)
    if (field.number === Tensor.externalData) external = true
    if (field.number === Tensor.dataLocation && field.kind === 'varint' && field.value !== 0) external = true
  }
  if (external) throw new GraphRefused(`its tensor "${name.slice(0, 64)}" lies in another file`)
}

function checkSparseTensor(bytes: Uint8Array): void {
  for (const field of protobufFields(bytes)) {
    if (field.number === SparseTensor.values || field.number === SparseTensor.indices) checkTensor(bytesOf(field))
  }
}

/** `ValueInfoProto`: its name, and the element type of its tensor (`type.tensor_type.elem_type`, all of them field 1). */
function graphValueOf(bytes: Uint8Array): GraphValue {
  let name = ''
  let elementType = 0
  for (const field of protobufFields(bytes)) {
    if (field.number === Value.name) name = textOf(field)
    if (field.number !== Value.type) continue
    for (const type of protobufFields(bytesOf(field))) {
      if (type.number !== 1) continue
      for (const part of protobufFields(bytesOf(type))) {
        if (part.number === 1 && part.kind === 'varint') elementType = part.value
      }
    }
  }
  return { name, elementType }
}

function bytesOf(field: ProtobufField): Uint8Array {
  if (field.kind === 'bytes') return field.bytes
  throw new GraphRefused(`field ${field.number} holds a number where a message is`)
}

function textOf(field: ProtobufField): string {
  return new TextDecoder().decode(bytesOf(field))
}
