import { modelInvalid } from '@resultity/interface'
import type { ByteSource } from './byte-source.ts'
import { type FloatEncoding, storageUnit } from './quantization/encoding.ts'
import type { SourceTensor } from './weights/source-tensor.ts'
import type { NamedTensors } from './weights/tensor-finder.ts'

/** A variable of a CTranslate2 model: weights, or a number that says how they are used. */
export interface Ct2Variable {
  readonly name: string
  readonly type: Ct2Type
  /** Outermost dimension first; empty for a single number. */
  readonly shape: readonly number[]
  /** Byte of the file at which the data starts. */
  readonly offset: number
  readonly bytes: number
}

/** A CTranslate2 model as its file has it. */
export interface Ct2Model {
  /** What kind of model it is, such as `WhisperSpec`. */
  readonly spec: string
  /** Of the kind's naming. */
  readonly revision: number
  readonly variables: ReadonlyMap<string, Ct2Variable>
  /** Further names of variables: what is stored once where two are equal. */
  readonly aliases: ReadonlyMap<string, string>
}

/** In the order of the numbers that stand for them, and the bytes of one value. */
const types = [
  { type: 'f32', bytes: 4 },
  { type: 'i8', bytes: 1 },
  { type: 'i16', bytes: 2 },
  { type: 'i32', bytes: 4 },
  { type: 'f16', bytes: 2 },
  { type: 'bf16', bytes: 2 }
] as const
type Ct2Type = (typeof types)[number]['type']

const encodings: Readonly<Record<string, FloatEncoding>> = { f32: 'F32', f16: 'F16', bf16: 'BF16' }

/** The version of the file's layout that CTranslate2 has written since 2021. */
const VERSION = 6
const NAME_BYTES_MAX = 512
const RANK_MAX = 8
/** More than the largest model of any kind has. */
const ENTRIES_MAX = 65_536
/** Two names, each behind its length; what stands before a variable's data is shorter. */
const HEADER_BYTES_MAX = 2 * (2 + NAME_BYTES_MAX)

/** Whether a file begins as a CTranslate2 model does: with its version and the name of a kind. */
export function looksLikeCt2(beginning: Uint8Array): boolean {
  if (beginning.byteLength < 8) return false
  const view = new DataView(beginning.buffer, beginning.byteOffset, beginning.byteLength)
  const nameBytes = view.getUint16(4, true)
  return view.getUint32(0, true) === VERSION && nameBytes > 1 && nameBytes <= NAME_BYTES_MAX
}

/**
 * Reads and checks the table of a CTranslate2 model (`_serialize` in ctranslate2/specs/model_spec.py): every variable is inside
 * the file, has as many bytes as its shape needs, and nothing stands behind the last one.
 *
 * @throws MeshError `model_invalid` saying what is wrong and where
 */
export function parseCt2(file: ByteSource): Ct2Model {
  const reader = new Ct2Reader(file)
  reader.open()
  const version = reader.u32('the version')
  if (version !== VERSION) {
    const hint = 'Convert the model again with a CTranslate2 of version 2 or later.'
    throw modelInvalid(file.name, `is a CTranslate2 model of layout ${version}; supported is ${VERSION}`, hint)
  }
  const spec = reader.name()
  const revision = reader.u32('the revision')
  const variables = new Map<string, Ct2Variable>()
  const variableCount = reader.count('variables')
  for (let index = 0; index < variableCount; index++) {
    reader.open()
    const variable = reader.variable()
    if (variables.has(variable.name)) throw modelInvalid(file.name, `variable "${variable.name}" stands there twice`)
    variables.set(variable.name, variable)
  }
  reader.open()
  const aliases = new Map<string, string>()
  const aliasCount = reader.count('aliases')
  for (let index = 0; index < aliasCount; index++) {
    reader.open()
    const [alias, name] = [reader.name(), reader.name()]
    if (variables.has(alias) || aliases.has(alias)) throw modelInvalid(file.name, `"${alias}" stands there twice`)
    if (!variables.has(name)) throw modelInvalid(file.name, `"${alias}" stands for "${name}", which is not there`)
    aliases.set(alias, name)
  }
  if (reader.position !== file.bytes) {
    throw modelInvalid(file.name, `ends at byte ${reader.position}, the file at byte ${file.bytes}`)
  }
  return { spec, revision, variables, aliases }
}

/** The tensors of a model by all of their names, and by what they are also called. */
export function ct2Tensors(file: ByteSource, model: Ct2Model): NamedTensors {
  const get = (name: string): SourceTensor | undefined => {
    const variable = model.variables.get(model.aliases.get(name) ?? name)
    return variable && sourceTensor(file, name, variable)
  }
  const tensors = [...model.variables.values()].filter(({ shape }) => shape.length > 0)
  const shared = [...model.aliases].filter(([, name]) => model.variables.get(name)?.shape.length !== 0)
  return { names: [...tensors.map(({ name }) => name), ...shared.map(([alias]) => alias)], get }
}

/** The single whole number `name`; undefined where there is none. */
export function ct2Number(file: ByteSource, model: Ct2Model, name: string): number | undefined {
  const variable = model.variables.get(model.aliases.get(name) ?? name)
  if (variable === undefined || variable.shape.length > 0) return undefined
  const data = new DataView(file.read(variable.offset, variable.bytes).buffer)
  switch (variable.type) {
    case 'i8':
      return data.getInt8(0)
    case 'i16':
      return data.getInt16(0, true)
    case 'i32':
      return data.getInt32(0, true)
    default:
      return undefined
  }
}

function sourceTensor(file: ByteSource, name: string, { type, shape, offset, bytes }: Ct2Variable): SourceTensor {
  const encoding = encodings[type]
  if (encoding === undefined) {
    throw modelInvalid(
      file.name,
      `tensor "${name}" is stored as ${type}; supported are f32, f16 and bf16`,
      'Convert the model with --quantization float16, or without it.'
    )
  }
  const columns = shape.at(-1) ?? 1
  const rows = shape.slice(0, -1).reduce((product, dimension) => product * dimension, 1)
  const rowBytes = columns * storageUnit(encoding).bytes
  if (rows * rowBytes !== bytes) throw modelInvalid(file.name, `tensor "${name}" has ${bytes} bytes`)
  const read = (first: number, count: number) => file.read(offset + first * rowBytes, count * rowBytes)
  return { name, encoding, rows, columns, rowBytes, read }
}

/** Walks the file, a header at a time. */
class Ct2Reader {
  readonly #file: ByteSource
  #window = new DataView(new ArrayBuffer(0))
  /** Where the window begins, and how far it has been read. */
  #start = 0
  #at = 0

  constructor(file: ByteSource) {
    this.#file = file
  }

  get position(): number {
    return this.#start + this.#at
  }

  /** What follows is a header, or a pair of names. */
  open(): void {
    this.#start = this.position
    this.#at = 0
    const bytes = Math.min(HEADER_BYTES_MAX, this.#file.bytes - this.#start)
    this.#window = new DataView(this.#file.read(this.#start, bytes).buffer)
  }

  u32(what: string): number {
    const at = this.#take(4, what)
    return this.#window.getUint32(at, true)
  }

  /** Each of so many takes some bytes, so that no file claims more than it has. */
  count(what: string): number {
    const count = this.u32(`the number of ${what}`)
    if (count > Math.min(ENTRIES_MAX, this.#file.bytes - this.position)) {
      throw modelInvalid(this.#file.name, `claims ${count} ${what} at byte ${this.position}`)
    }
    return count
  }

  /** A text behind its length, with a zero at its end. */
  name(): string {
    const bytes = this.#window.getUint16(this.#take(2, 'the length of a name'), true)
    if (bytes > NAME_BYTES_MAX) {
      throw modelInvalid(this.#file.name, `a name at byte ${this.position} has ${bytes} bytes, over ${NAME_BYTES_MAX}`)
    }
    const text = new Uint8Array(this.#window.buffer, this.#take(bytes, 'a name'), bytes)
    const name = Buffer.from(text.subarray(0, text.at(-1) === 0 ? -1 : bytes)).toString('latin1')
    if (!/^[\x21-\x7e]+$/.test(name)) {
      throw modelInvalid(
        this.#file.name,
        `at byte ${this.position} stands ${JSON.stringify(name.slice(0, 80))}, no name`
      )
    }
    return name
  }

  variable(): Ct2Variable {
    const name = this.name()
    const rank = this.#u8(`the rank of "${name}"`)
    if (rank > RANK_MAX) throw modelInvalid(this.#file.name, `variable "${name}" has ${rank} dimensions`)
    const shape = Array.from({ length: rank }, () => this.u32(`the shape of "${name}"`))
    const code = this.#u8(`the type of "${name}"`)
    const type = types[code]
    if (type === undefined)
      throw modelInvalid(this.#file.name, `variable "${name}" is of a type ${code}, not known here`)
    const bytes = this.u32(`the size of "${name}"`)
    const needed = shape.reduce((product, dimension) => product * dimension, type.bytes)
    if (bytes !== needed) {
      throw modelInvalid(
        this.#file.name,
        `variable "${name}" of shape [${shape.join(', ')}] needs ${needed} bytes, not ${bytes}`
      )
    }
    const offset = this.position
    if (offset + bytes > this.#file.bytes) {
      throw modelInvalid(
        this.#file.name,
        `variable "${name}" ends at byte ${offset + bytes}, the file at byte ${this.#file.bytes}`
      )
    }
    this.#at += bytes
    return { name, type: type.type, shape, offset, bytes }
  }

  #u8(what: string): number {
    return this.#window.getUint8(this.#take(1, what))
  }

  #take(bytes: number, what: string): number {
    const at = this.#at
    if (at + bytes > this.#window.byteLength) {
      throw modelInvalid(this.#file.name, `is cut off: ${what} needs byte ${this.position + bytes - 1}`)
    }
    this.#at = at + bytes
    return at
  }
}
