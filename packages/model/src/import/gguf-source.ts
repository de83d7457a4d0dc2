import { describeGgufModel } from '@resultity/families'
import { dequantize, type SourceTensor } from '@resultity/formats'
import { MeshError, modelInvalid } from '@resultity/interface'
import { DecoderTensors, namingOf } from './decoder-tensors.ts'
import { type GgufFiles, type GgufPlace, type LocatedTensor, openGgufFiles } from './gguf-files.ts'
import type { ModelSource } from './model-source.ts'

/** Opens a GGUF file, or all parts of the model of which it is one, as a decoder of a known family. The caller disposes it. */
export function openGguf(path: string, place?: GgufPlace): ModelSource {
  const files = openGgufFiles(path, place)
  try {
    return ggufModel(files)
  } catch (error) {
    files[Symbol.dispose]()
    throw error
  }
}

function ggufModel(files: GgufFiles): ModelSource {
  const { name: file, metadata } = files
  const vector = (name: string): Float32Array | undefined => shortVector(files, name)
  const { family, config } = describeGgufModel({ file, metadata, tensors: files.tensors, vector })
  const { gguf, title } = family
  if (gguf === undefined) throw new MeshError('internal', `${title} has no record for GGUF`)
  const get = (name: string): SourceTensor | undefined => {
    const tensor = files.tensors.get(name)
    return tensor && sourceTensor(tensor)
  }
  const tensors = { names: [...files.tensors.keys()], get }
  const { interleaved } = gguf
  const naming = namingOf(tensors, config, [gguf.tensors, ...(gguf.otherTensors ?? [])])
  const found = new DecoderTensors({ file, title, config, tensors, naming, interleaved }).collect()
  return { config, ...found, [Symbol.dispose]: () => files[Symbol.dispose]() }
}

/** Tensors that hold a matrix for each expert, which are read as one of all their rows. */
const OF_EXPERTS = /_exps\.weight$/

function sourceTensor({ name, file, shape, bytes, offset, encoding }: LocatedTensor): SourceTensor {
  const [columns = 0, ...outer] = shape
  const matrices = outer.slice(1).reduce((product, dimension) => product * dimension, 1)
  if (matrices !== 1 && !OF_EXPERTS.test(name)) {
    throw modelInvalid(file.name, `tensor "${name}" has the shape [${shape.join(', ')}], not that of a matrix`)
  }
  const rows = (outer[0] ?? 1) * matrices
  const rowBytes = rows === 0 ? 0 : bytes / rows
  return {
    name,
    encoding,
    rows,
    columns,
    rowBytes,
    extent: { file: file.name, offset, bytes },
    read: (first, count) => file.read(offset + first * rowBytes, count * rowBytes)
  }
}

/** What a rotary embedding has a number of for each frequency. */
function shortVector({ tensors }: GgufFiles, name: string): Float32Array | undefined {
  const tensor = tensors.get(name)
  if (tensor === undefined) return undefined
  const { columns, rows, encoding, read } = sourceTensor(tensor)
  if (rows !== 1 || columns > 512) throw modelInvalid(tensor.file.name, `tensor "${name}" is not one short vector`)
  return dequantize(encoding, read(0, 1))
}
