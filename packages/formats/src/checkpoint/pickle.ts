import { readNumbers } from './pickle-numbers.ts'

/** A pickle that is damaged, or does what is not done here. */
export class PickleRefused extends Error {
  override readonly name = 'PickleRefused'
}

/** A name of Python's in a pickle: nothing is loaded by it. */
export class PickleGlobal {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }
}

/** A name applied to arguments: what the pickle asks for, and nobody has done. */
export class PickleCall {
  readonly path: string
  readonly parameters: readonly PickleValue[]

  constructor(path: string, parameters: readonly PickleValue[]) {
    this.path = path
    this.parameters = parameters
  }
}

/** What lies outside of the pickle. */
export class PickleOutside {
  readonly id: PickleValue

  constructor(id: PickleValue) {
    this.id = id
  }
}

/** A dictionary, in order. Keys that are no text are left out: no weight has one. */
export class PickleDictionary {
  readonly entries = new Map<string, PickleValue>()
}

export type PickleValue =
  | null
  | boolean
  | number
  | string
  | PickleValue[]
  | PickleGlobal
  | PickleCall
  | PickleOutside
  | PickleDictionary

export interface PickleRules {
  /** Names that may be called: each becomes a {@link PickleCall}, or of `dictionaries` an empty dictionary. */
  readonly calls: ReadonlySet<string>
  /** Names of kinds of dictionaries. */
  readonly dictionaries: ReadonlySet<string>
  /** Names that may stand as values. */
  readonly values: ReadonlySet<string>
}

/** A pickle of 2,000 tensors has some 100,000. */
const OPERATIONS_MAX = 4_000_000
const STACK_MAX = 1_000_000
const MEMO_MAX = 2_000_000
const TEXT_BYTES_MAX = 65_536

/**
 * Reads the data that a pickle of protocol 2 or 3 describes, by the few operations that checkpoints are made of. It runs nothing: a
 * call is a value here, and only of names that `rules` allow. All other operations and names are refused.
 *
 * @throws PickleRefused
 */
export function readPickle(bytes: Uint8Array, rules: PickleRules): PickleValue {
  return new PickleReader(bytes, rules).read()
}

class PickleReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #rules: PickleRules
  readonly #memo = new Map<number, PickleValue>()
  #stack: PickleValue[] = []
  readonly #marked: PickleValue[][] = []
  #at = 0
  #kept = 0

  constructor(bytes: Uint8Array, rules: PickleRules) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#rules = rules
  }

  read(): PickleValue {
    for (let count = 0; count < OPERATIONS_MAX; count++) {
      const operation = String.fromCharCode(this.#byte())
      if (operation === '.') return this.#pop()
      const numbers = readNumbers(operation, this.#view, this.#at)
      if (numbers !== undefined) {
        this.#at += numbers.bytes
        this.#push(numbers.value)
      } else this.#do(operation)
    }
    throw new PickleRefused('has too many operations')
  }

  #do(operation: string): void {
    switch (operation) {
      case '\x80': {
        const protocol = this.#byte()
        if (protocol < 2 || protocol > 3) throw new PickleRefused(`is of protocol ${protocol}, and 2 and 3 are read`)
        return
      }
      case '}':
        this.#push(new PickleDictionary())
        return
      case ']':
      case ')':
        this.#push([])
        return
      case '(':
        this.#marked.push(this.#stack)
        if (this.#marked.length > 1000) throw new PickleRefused('is nested too deep')
        this.#stack = []
        return
      case 't':
        this.#push(this.#sinceMark())
        return
      case '\x85':
      case '\x86':
      case '\x87':
        this.#push(this.#take(operation.charCodeAt(0) - 0x84))
        return
      case 'X':
        this.#push(this.#text(this.#uint32()))
        return
      case 'c':
        this.#push(this.#global())
        return
      case 'R':
        this.#call()
        return
      case 'Q':
        this.#push(new PickleOutside(this.#pop()))
        return
      case 's':
        this.#setItems(this.#take(2))
        return
      case 'u':
        this.#setItems(this.#sinceMark())
        return
      case 'a':
        this.#append(this.#take(1))
        return
      case 'e':
        this.#append(this.#sinceMark())
        return
      case 'b':
        // of a dictionary, what was noted beside it; of all others nothing that weights have
        this.#pop()
        return
      case 'q':
      case 'r':
        this.#remember(operation === 'q' ? this.#byte() : this.#uint32())
        return
      case 'h':
      case 'j':
        this.#recall(operation === 'h' ? this.#byte() : this.#uint32())
        return
      default:
        throw new PickleRefused(`does operation 0x${operation.charCodeAt(0).toString(16)}, which no weights need`)
    }
  }

  #call(): void {
    const [callee, parameters] = this.#take(2)
    if (!(callee instanceof PickleGlobal) || !Array.isArray(parameters))
      throw new PickleRefused('calls what has no name')
    const { path } = callee
    if (this.#rules.dictionaries.has(path)) {
      if (parameters.length > 0) throw new PickleRefused(`makes a "${path}" of something`)
      this.#push(new PickleDictionary())
    } else if (this.#rules.calls.has(path)) this.#push(new PickleCall(path, parameters))
    else throw new PickleRefused(`calls "${path}", which no weights need`)
  }

  #global(): PickleGlobal {
    const path = `${this.#line()}.${this.#line()}`
    const { calls, dictionaries, values } = this.#rules
    if (calls.has(path) || dictionaries.has(path) || values.has(path)) return new PickleGlobal(path)
    throw new PickleRefused(`names "${path}", which no weights need`)
  }

  #setItems(items: readonly PickleValue[]): void {
    const target = this.#stack.at(-1)
    if (!(target instanceof PickleDictionary) || items.length % 2 !== 0)
      throw new PickleRefused('sets items of what has none')
    for (let at = 0; at < items.length; at += 2) {
      const [key, value = null] = items.slice(at, at + 2)
      if (typeof key === 'string') target.entries.set(key, value)
    }
  }

  #append(items: readonly PickleValue[]): void {
    const target = this.#stack.at(-1)
    if (!Array.isArray(target)) throw new PickleRefused('adds to what is no list')
    this.#count(items.length)
    for (const item of items) target.push(item)
  }

  #sinceMark(): PickleValue[] {
    const items = this.#stack
    const before = this.#marked.pop()
    if (before === undefined) throw new PickleRefused('ends what was not begun')
    this.#stack = before
    return items
  }

  #take(count: number): PickleValue[] {
    if (this.#stack.length < count) throw new PickleRefused('takes more than there is')
    return this.#stack.splice(this.#stack.length - count, count)
  }

  #pop(): PickleValue {
    const [value = null] = this.#take(1)
    return value
  }

  #push(value: PickleValue): void {
    this.#count(1)
    this.#stack.push(value)
  }

  /** Whatever is made is counted, so that a small file makes no large one. */
  #count(more: number): void {
    this.#kept += more
    if (this.#kept > OPERATIONS_MAX || this.#stack.length > STACK_MAX) throw new PickleRefused('makes too many values')
  }

  #remember(index: number): void {
    const value = this.#stack.at(-1)
    if (value === undefined || this.#memo.size >= MEMO_MAX) throw new PickleRefused('remembers what there is not')
    this.#memo.set(index, value)
  }

  #recall(index: number): void {
    const value = this.#memo.get(index)
    if (value === undefined) throw new PickleRefused(`recalls ${index}, which it has not remembered`)
    this.#push(value)
  }

  #byte(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw new PickleRefused('breaks off')
    this.#at += 1
    return byte
  }

  #uint32(): number {
    if (this.#at + 4 > this.#bytes.length) throw new PickleRefused('breaks off')
    this.#at += 4
    return this.#view.getUint32(this.#at - 4, true)
  }

  #text(length: number): string {
    if (length > TEXT_BYTES_MAX || this.#at + length > this.#bytes.length)
      throw new PickleRefused('has a text that is too long')
    this.#at += length
    return new TextDecoder().decode(this.#bytes.subarray(this.#at - length, this.#at))
  }

  #line(): string {
    const end = this.#bytes.indexOf(10, this.#at)
    if (end === -1 || end - this.#at > 256) throw new PickleRefused('has a name that is too long')
    const line = new TextDecoder().decode(this.#bytes.subarray(this.#at, end))
    this.#at = end + 1
    return line
  }
}
