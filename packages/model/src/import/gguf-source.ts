import { modelInvalid } from '@resultity/interface'
import { dequantize } from '../quantization/encoding.ts'
import { modelConfigFromGguf } from './gguf-config.ts'
import { type GgufFiles, type LocatedTensor, openGgufFiles } from './gguf-files.ts'
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

/** Opens a GGUF file, or all parts of the model of which it is one, as a Llama. The caller disposes it. */
export function openGguf(path: string): ModelSource {
  const files = openGgufFiles(path)
  try {
    return ggufModel(files)
  } catch (error) {
    files[Symbol.dispose]()
    throw error
  }
}

function ggufModel(files: GgufFiles): ModelSource {
  const config = modelConfigFromGguf(files.name, files, frequencyDivisors(files))
  const tensors = {
    names: files.tensors.keys(),
    get(name: string): SourceTensor | undefined {
      const tensor = files.tensors.get(name)
      if (tensor === undefined) return undefined
      const found = sourceTensor(tensor)
      return interleaved.test(name) ? { ...found, interleavedHeadDim: config.headDim } : found
    }
  }
  const found = new LlamaTensors(files.name, config, tensors, naming).collect()
  return { config, ...found, [Symbol.dispose]: () => files[Symbol.dispose]() }
}

function sourceTensor({ name, file, shape, bytes, offset, encoding }: LocatedTensor): SourceTensor {
  const [columns = 0, rows = 1, ...further] = shape
  if (further.some(dimension => dimension !== 1)) {
    throw modelInvalid(file.name, `tensor "${name}" has the shape [${shape.join(', ')}], not that of a matrix`)
  }
  const rowBytes = rows === 0 ? 0 : bytes / rows
  return {
    name,
    encoding,
    rows,
    columns,
    rowBytes,
    read: (first, count) => file.read(offset + first * rowBytes, count * rowBytes)
  }
}

function frequencyDivisors({ tensors }: GgufFiles): Float32Array | undefined {
  const tensor = tensors.get('rope_freqs.weight')
  if (tensor === undefined) return undefined
  const { columns, rows, encoding, read } = sourceTensor(tensor)
  if (rows !== 1 || columns > 512)
    throw modelInvalid(tensor.file.name, 'tensor "rope_freqs.weight" is not one short vector')
  return dequantize(encoding, read(0, 1))
}
