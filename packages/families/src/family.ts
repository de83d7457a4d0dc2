import type { ModelConfig } from '@resultity/interface'
import type { GgufKeys } from './gguf-keys.ts'
import type { HubConfig } from './hub-config.ts'
import type { TensorNaming } from './tensor-naming.ts'

/**
 * A decoder family: how its models are described in each file format, and how their tensors are named there. All else
 * (conversion, graphs, memory, planning) reads the description.
 */
export interface Family {
  /** Lower case, unique: `qwen3`. */
  readonly name: string
  /** For people, in lists of what is supported. */
  readonly title: string
  /** Folders as transformers saves them. */
  readonly hub: HubFormat
  /** Absent where llama.cpp does not have the family, or files it under another. */
  readonly gguf?: GgufFormat
}

export interface HubFormat {
  /** The `model_type` of each `config.json`, with what its `architectures` names. */
  readonly classes: Readonly<Record<string, string>>
  /** What the graph computes; the result is checked before it is used. @throws Unsupported */
  describe(config: HubConfig): ModelConfig
  readonly tensors: TensorNaming
  /** Other names that files of the family have, all of them. */
  readonly otherTensors?: readonly TensorNaming[]
  /** What is added to the weights of every norm: 1 where the model multiplies by 1 + weight. */
  readonly normOffset?: number
}

export interface GgufFormat {
  /** Values of `general.architecture`. */
  readonly architectures: readonly string[]
  /** As {@link HubFormat.describe}. */
  describe(keys: GgufKeys): ModelConfig
  readonly tensors: TensorNaming
  /** As {@link HubFormat.otherTensors}. */
  readonly otherTensors?: readonly TensorNaming[]
  /** Set where llama.cpp's converter stores the rows of queries and keys in the order of interleaved rotary pairs. */
  readonly interleaved?: true
}
