import { modelInvalid } from '@resultity/interface'
import { Unsupported } from './unsupported.ts'

/** The header of a GGUF file, and how the file is named in errors. */
export interface GgufHead {
  readonly file: string
  readonly metadata: ReadonlyMap<string, unknown>
  /** ggml's order: `[columns]` or `[columns, rows]`. */
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>
  /** The numbers of a short vector among the tensors; undefined where there is none of that name. */
  vector(name: string): Float32Array | undefined
}

/** Reads the metadata of a model's architecture: `head_count` is the key `llama.head_count` in a Llama. */
export class GgufKeys {
  readonly head: GgufHead
  readonly #architecture: string

  constructor(head: GgufHead, architecture: string) {
    this.head = head
    this.#architecture = architecture
  }

  /** The key as the file has it. */
  named(key: string): string {
    return `${this.#architecture}.${key}`
  }

  /**
   * Some keys hold a number for each layer, where a model's layers may differ.
   *
   * @throws MeshError `model_invalid` for what is no number, Unsupported where layers differ
   */
  optional(key: string): number | undefined {
    const name = this.named(key)
    const value = this.head.metadata.get(name)
    if (value === undefined || typeof value === 'number') return value
    if (!Array.isArray(value)) throw modelInvalid(this.head.file, `metadata "${name}" is not a number`)
    const numbers: unknown[] = value
    const [first] = numbers
    if (typeof first !== 'number') throw modelInvalid(this.head.file, `metadata "${name}" lists no numbers`)
    if (numbers.some(each => each !== first)) throw new Unsupported(`another ${name} in each layer`)
    return first
  }

  /** @throws MeshError `model_invalid` where it is missing, and as {@link GgufKeys.optional} */
  required(key: string): number {
    const value = this.optional(key)
    if (value === undefined) throw modelInvalid(this.head.file, `metadata "${this.named(key)}" is missing`)
    return value
  }

  /** A text; what converters write empty is none. */
  text(key: string): string | undefined {
    const value = this.head.metadata.get(this.named(key))
    return value === undefined || value === '' ? undefined : String(value)
  }
}
