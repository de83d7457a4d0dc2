import { type ByteSource, openFileSource } from '../formats/byte-source.ts'
import { type GgufHeader, type GgufTensor, parseGgufHeader } from '../formats/gguf.ts'
import { modelInvalid } from '../model-invalid.ts'
import { dequantize } from '../quantization/encoding.ts'
import { modelConfigFromGguf } from './gguf-config.ts'
import { LlamaTensors, type TensorNaming } from './llama-tensors.ts'
import type { LayerTensorName, ModelSource, SourceTensor } from './model-source.ts'

const layerNames: Readonly<Record<LayerTensorName, string>> = {
  input_norm: 'attn_norm',
  q: 'attn_q',
  k: 'attn_k',
  v: 'attn_v',
  output: 'attn_output',
  post_norm: 'ffn_norm',
  gate: 'ffn_gate',
  up: 'ffn_up',
  down: 'ffn_down'
}

const naming: TensorNaming = {
  embedding: 'token_embd.weight',
  finalNorm: 'output_norm.weight',
  head: 'output.weight',
  layer: (index, name) => `blk.${index}.${layerNames[name]}.weight`,
  ignored: /^rope_freqs\.weight$|^blk\.\d+\.attn_rot_embd\.weight$/
}

/** llama.cpp's converter stores queries and keys of Llama with rotary pairs interleaved. */
const interleaved = /^blk\.\d+\.attn_[qk]\.weight$/

/** Opens a GGUF file as a Llama. The caller disposes it. */
export function openGguf(path: string): ModelSource {
  const file = openFileSource(path)
  try {
    return ggufModel(file, parseGgufHeader(file))
  } catch (error) {
    file[Symbol.dispose]()
    throw error
  }
}

function ggufModel(file: ByteSource, header: GgufHeader): ModelSource {
  const config = modelConfigFromGguf(file.name, header, frequencyDivisors(file, header))
  const tensors = {
    names: header.tensors.keys(),
    get(name: string): SourceTensor | undefined {
      const tensor = header.tensors.get(name)
      if (tensor === undefined) return undefined
      const found = sourceTensor(file, tensor)
      return interleaved.test(name) ? { ...found, interleavedHeadDim: config.headDim } : found
    }
  }
  const found = new LlamaTensors(file.name, config, tensors, naming).collect()
  return { config, ...found, [Symbol.dispose]: () => file[Symbol.dispose]() }
}

function sourceTensor(file: ByteSource, tensor: GgufTensor): SourceTensor {
  const [columns = 0, rows = 1, ...further] = tensor.shape
  if (further.some(dimension => dimension !== 1)) {
    throw modelInvalid(
      file.name,
      `tensor "${tensor.name}" has the shape [${tensor.shape.join(', ')}], not that of a matrix`
    )
  }
  const rowBytes = tensor.bytes / rows
  return {
    name: tensor.name,
    encoding: tensor.encoding,
    rows,
    columns,
    rowBytes,
    read: (first, count) => file.read(tensor.offset + first * rowBytes, count * rowBytes)
  }
}

function frequencyDivisors(file: ByteSource, header: GgufHeader): Float32Array | undefined {
  const tensor = header.tensors.get('rope_freqs.weight')
  if (tensor === undefined) return undefined
  const { columns, rows, encoding, read } = sourceTensor(file, tensor)
  if (rows !== 1 || columns > 512) throw modelInvalid(file.name, 'tensor "rope_freqs.weight" is not one short vector')
  return dequantize(encoding, read(0, 1))
}
