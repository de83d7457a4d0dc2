import { formatRange, type LayerRange, MeshError, type WeightFile } from '@resultity/interface'
import type { ShownStates, StageInit } from './port.ts'

/** The sizes of a stage, and the checks that every implementation owes its callers. */
export class StageShape {
  readonly range: LayerRange
  readonly first: boolean
  readonly last: boolean
  readonly hiddenSize: number
  readonly vocabularySize: number
  readonly contextLength: number
  readonly sessionsMax: number
  readonly layersShare: number
  /** The graph has a further input, of what is read in the place of tokens. */
  readonly readsPictures: boolean

  constructor(init: StageInit) {
    const { config } = init.manifest
    this.range = init.range
    this.first = init.range.first === 0
    this.last = init.range.end === config.layerCount
    this.hiddenSize = config.hiddenSize
    this.vocabularySize = config.vocabularySize
    this.contextLength = positive('contextLength', init.contextLength)
    this.sessionsMax = positive('sessionsMax', init.sessionsMax)
    positive('threads', init.threads)
    this.layersShare = layersShare(init)
    this.readsPictures = this.first && init.manifest.sight !== undefined
  }

  /** Positions of one session's cache: one more than it may have, for a session that is full and computed along. */
  get cacheLength(): number {
    return this.contextLength + 1
  }

  /** Numbers of one position's input. */
  get inputWidth(): number {
    return this.first ? 1 : this.hiddenSize
  }

  /** Memory for the input of so many positions, as the graph takes it. */
  newInput(count: number): Int32Array | Float32Array {
    const length = count * this.inputWidth
    return this.first ? new Int32Array(length) : new Float32Array(length)
  }

  /** @throws MeshError `context_length_exceeded` when a session of that many positions does not fit */
  admitSession(positionsMax: number): void {
    positive('positionsMax', positionsMax)
    if (positionsMax <= this.contextLength) return
    throw new MeshError(
      'context_length_exceeded',
      `a session of ${positionsMax} positions is over this stage's context of ${this.contextLength}`,
      { hint: 'shorten the prompt or the answer', details: { contextLength: this.contextLength } }
    )
  }

  /**
   * Checks one run's input before any memory is taken for it.
   *
   * @returns the number of positions
   * @throws MeshError `invalid_request` for a wrong kind, length or token id; `context_length_exceeded`
   */
  admitInput(input: Uint32Array | Float32Array, position: number, positionsMax: number): number {
    const count = this.first ? this.#admitTokens(input) : this.#admitHidden(input)
    if (position + count <= positionsMax) return count
    throw new MeshError(
      'context_length_exceeded',
      `${count} more positions after ${position} are over the session's ${positionsMax}`,
      { hint: 'open the session for more positions', details: { positionsMax } }
    )
  }

  /** Puts what takes the place of tokens where a run reads it: the rows of {@link newInput} are negative there. */
  placeShown(input: Int32Array | Float32Array, shown: readonly ShownStates[], rows: Float32Array): void {
    for (const { at, states } of shown) {
      input.fill(-1, at, at + states.length / this.hiddenSize)
      rows.set(states, at * this.hiddenSize)
    }
  }

  /** @throws MeshError `invalid_request` for states that fit no `count` tokens of this stage */
  admitShown(shown: readonly ShownStates[] | undefined, count: number): void {
    for (const { at, states } of shown ?? []) {
      const length = states.length / this.hiddenSize
      const fits = Number.isInteger(length) && Number.isSafeInteger(at) && at >= 0 && at + length <= count
      if (!this.readsPictures || count === 1 || !fits) throw this.#wrongInput(`takes no ${length} states at ${at}`)
    }
  }

  #admitTokens(input: Uint32Array | Float32Array): number {
    if (!(input instanceof Uint32Array)) throw this.#wrongInput('takes token ids in a Uint32Array')
    if (input.length === 0) throw this.#wrongInput('needs at least one token')
    for (const token of input) {
      if (token >= this.vocabularySize) {
        throw this.#wrongInput(`has a vocabulary of ${this.vocabularySize}, token ${token} is not in it`)
      }
    }
    return input.length
  }

  #admitHidden(input: Uint32Array | Float32Array): number {
    if (!(input instanceof Float32Array)) throw this.#wrongInput('takes hidden states in a Float32Array')
    if (input.length === 0 || input.length % this.hiddenSize !== 0) {
      throw this.#wrongInput(`takes whole positions of ${this.hiddenSize} values, not ${input.length} values`)
    }
    return input.length / this.hiddenSize
  }

  #wrongInput(what: string): MeshError {
    return new MeshError('invalid_request', `stage ${formatRange(this.range)} ${what}`, { details: { param: 'input' } })
  }
}

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new MeshError('invalid_request', `${name} is ${value} and must be a positive integer`, {
    details: { param: name }
  })
}

function layersShare({ manifest, range }: StageInit): number {
  if (range.end < manifest.config.layerCount) return 1
  const experts = manifest.config.traits?.experts
  const share = experts === undefined ? 1 : experts.used / experts.count
  const layers = manifest.layers.slice(range.first, range.end).reduce((sum, file) => sum + weightBytes(file, share), 0)
  const head = weightBytes(manifest.head) + (manifest.config.tiedEmbedding ? weightBytes(manifest.embedding) : 0)
  return layers / (layers + head)
}

/** @param share of the experts, that a step multiplies by */
function weightBytes(file: WeightFile, share = 1): number {
  return file.tensors.reduce((sum, { name, data }) => sum + data.bytes * (name.startsWith('expert_') ? share : 1), 0)
}
