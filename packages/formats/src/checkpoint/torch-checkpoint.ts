import { modelInvalid } from '@resultity/interface'
import type { ByteSource } from '../byte-source.ts'
import type { FloatEncoding } from '../quantization/encoding.ts'
import type { SourceTensor } from '../weights/source-tensor.ts'
import type { NamedTensors } from '../weights/tensor-finder.ts'
import {
  PickleCall,
  PickleDictionary,
  PickleGlobal,
  PickleOutside,
  PickleRefused,
  type PickleRules,
  type PickleValue,
  readPickle
} from './pickle.ts'
import { readZipDirectory, readZipEntry, storedOffset, type ZipEntry } from './zip-archive.ts'

const REBUILD = 'torch._utils._rebuild_tensor_v2'
const PARAMETER = 'torch._utils._rebuild_parameter'

/** Bytes of a number, and how it is read where it is one of a weight. */
interface StorageKind {
  readonly bytes: number
  readonly encoding?: FloatEncoding
}

const storageKinds: ReadonlyMap<string, StorageKind> = new Map([
  ['torch.FloatStorage', { bytes: 4, encoding: 'F32' }],
  ['torch.HalfStorage', { bytes: 2, encoding: 'F16' }],
  ['torch.BFloat16Storage', { bytes: 2, encoding: 'BF16' }],
  ['torch.DoubleStorage', { bytes: 8 }],
  ['torch.LongStorage', { bytes: 8 }],
  ['torch.IntStorage', { bytes: 4 }],
  ['torch.ShortStorage', { bytes: 2 }],
  ['torch.CharStorage', { bytes: 1 }],
  ['torch.ByteStorage', { bytes: 1 }],
  ['torch.BoolStorage', { bytes: 1 }]
] as const)

const rules: PickleRules = {
  calls: new Set([REBUILD, PARAMETER]),
  dictionaries: new Set(['collections.OrderedDict']),
  values: new Set(storageKinds.keys())
}

/** Of the part that says what the tensors are. */
const PICKLE_BYTES_MAX = 16 * 1024 * 1024
const TENSORS_MAX = 65_536
const DIMENSIONS_MAX = 8

/**
 * The tensors of a checkpoint as `torch.save` writes it since 1.6: an archive of storages, and a pickle that says what they are. Only
 * what tensors are made of is read ({@link readPickle}); no code of the file is ever run. Tensors that nobody can multiply by (whole
 * numbers, masks) are passed over.
 *
 * @throws MeshError `model_invalid` for what is damaged, is in the form before 1.6, or asks for anything else
 */
export function openTorchCheckpoint(file: ByteSource): NamedTensors {
  const entries = readZipDirectory(file)
  const [root, ...others] = [...entries.keys()].filter(name => /^[^/]+\/data\.pkl$/.test(name))
  const pickle = root === undefined ? undefined : entries.get(root)
  if (root === undefined || pickle === undefined || others.length > 0) {
    throw modelInvalid(
      file.name,
      'is no checkpoint of torch: its archive has no data.pkl',
      'Save it with torch 1.6 or later.'
    )
  }
  const folder = root.slice(0, -'data.pkl'.length)
  const order = entries.get(`${folder}byteorder`)
  if (order !== undefined && Buffer.from(readZipEntry(file, order, 16)).toString() !== 'little') {
    throw modelInvalid(file.name, 'has its numbers in an order of bytes that is not read')
  }
  const found = tensorsOf(file, readValues(file, pickle))
  const tensors = new Map<string, SourceTensor>()
  for (const [name, value] of found) {
    const tensor = describeTensor(file, name, value)
    const storage = entries.get(`${folder}data/${tensor.key}`)
    const source = sourceOf(file, name, tensor, storage)
    if (source !== undefined) tensors.set(name, source)
  }
  return { names: [...tensors.keys()], get: name => tensors.get(name) }
}

function readValues(file: ByteSource, entry: ZipEntry): PickleValue {
  const bytes = readZipEntry(file, entry, PICKLE_BYTES_MAX)
  try {
    return readPickle(bytes, rules)
  } catch (error) {
    if (!(error instanceof PickleRefused)) throw error
    const hint = 'Only the tensors of a checkpoint are read, and none of its code. Save its state_dict, or safetensors.'
    throw modelInvalid(file.name, `its pickle ${error.message}`, hint)
  }
}

/** Tensors by name; those of dictionaries in it by names with dots between. */
function tensorsOf(file: ByteSource, value: PickleValue): Map<string, PickleCall> {
  if (!(value instanceof PickleDictionary)) throw modelInvalid(file.name, 'holds no dictionary of tensors')
  const inner = value.entries.get('state_dict') ?? value.entries.get('model')
  const source = inner instanceof PickleDictionary ? inner : value
  const tensors = new Map<string, PickleCall>()
  for (const [name, each] of source.entries) {
    const tensor = each instanceof PickleCall && each.path === PARAMETER ? each.parameters[0] : each
    if (!(tensor instanceof PickleCall) || tensor.path !== REBUILD) continue
    if (tensors.size === TENSORS_MAX) throw modelInvalid(file.name, `more than ${TENSORS_MAX} tensors`)
    tensors.set(name, tensor)
  }
  if (tensors.size === 0) throw modelInvalid(file.name, 'holds no tensors')
  return tensors
}

interface StoredTensor {
  readonly kind: StorageKind
  readonly kindName: string
  /** Name of its storage in the archive. */
  readonly key: string
  /** Of its first number in the storage. */
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
}

/** `(storage, offset, shape, strides, …)`, where the storage is `('storage', kind, key, device, count)`. */
function describeTensor(file: ByteSource, name: string, { parameters }: PickleCall): StoredTensor {
  const [storage, offset, shape, strides] = parameters
  const id = storage instanceof PickleOutside && Array.isArray(storage.id) ? storage.id : []
  const [what, global, key] = id
  const kindName = global instanceof PickleGlobal ? global.path : ''
  const kind = storageKinds.get(kindName)
  if (
    what === 'storage' &&
    typeof key === 'string' &&
    kind !== undefined &&
    isCount(offset) &&
    isCounts(shape) &&
    isCounts(strides)
  ) {
    return { kind, kindName, key, offset, shape, strides }
  }
  throw modelInvalid(file.name, `tensor "${name.slice(0, 200)}" is described in a way that is not read`)
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isCounts(value: PickleValue | undefined): value is number[] {
  return Array.isArray(value) && value.length <= DIMENSIONS_MAX && value.every(isCount)
}

/** Undefined for numbers of a kind that weights are not of. */
function sourceOf(
  file: ByteSource,
  name: string,
  { kind, kindName, key, offset, shape, strides }: StoredTensor,
  storage: ZipEntry | undefined
): SourceTensor | undefined {
  const { bytes: unit, encoding } = kind
  if (kindName === 'torch.DoubleStorage')
    throw modelInvalid(file.name, `tensor "${name}" has numbers of 64 bits, which are not read`)
  if (encoding === undefined) return undefined
  if (!isContiguous(shape, strides)) throw modelInvalid(file.name, `tensor "${name}" does not lie in one piece`)
  if (storage === undefined)
    throw modelInvalid(file.name, `the numbers of tensor "${name}" (${key.slice(0, 80)}) are missing`)
  const columns = shape.at(-1) ?? 1
  const rows = shape.slice(0, -1).reduce((product, size) => product * size, 1)
  if (storage.compressed || (offset + rows * columns) * unit > storage.bytes) {
    throw modelInvalid(
      file.name,
      `tensor "${name}" of shape [${shape.join(', ')}] is more than its storage of ${storage.bytes} bytes has`
    )
  }
  const start = storedOffset(file, storage) + offset * unit
  const rowBytes = columns * unit
  return {
    name,
    encoding,
    rows,
    columns,
    rowBytes,
    extent: { file: file.name, offset: start, bytes: rows * rowBytes },
    read: (first, count) => file.read(start + first * rowBytes, count * rowBytes)
  }
}

/** Whether numbers lie one behind the other; of a dimension of one, no step is taken. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.length !== strides.length) return false
  let step = 1
  for (let at = shape.length - 1; at >= 0; at--) {
    const size = shape[at] ?? 0
    if (size > 1 && strides[at] !== step) return false
    step *= size
  }
  return true
}
