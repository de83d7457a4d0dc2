import { MeshError } from '@resultity/interface'
import type { EncoderTokenizer, ModelTokenizer, PromptEncoder } from '@resultity/model'
import type { PlaceableModel } from './placement/placeable-model.ts'

interface Served {
  /** Its name in the API. */
  readonly id: string
  /** Other names that it answers to: the reference it was imported by. */
  readonly aliases: readonly string[]
  readonly placeable: PlaceableModel
  /** Unix seconds since when it is served. */
  readonly createdAt: number
}

/** A model that generates text. */
export interface ServedDecoder extends Served {
  readonly kind: 'decoder'
  readonly tokenizer: ModelTokenizer
  /** Makes tokens of what clients send, however long. */
  readonly prompts: PromptEncoder
}

/** A model that turns texts into vectors. */
export interface ServedEncoder extends Served {
  readonly kind: 'encoder'
  readonly tokenizer: EncoderTokenizer
}

/** A model that requests may name. */
export type ServedModel = ServedDecoder | ServedEncoder

/** The models of a coordinator, by name. */
export class ServedModels implements AsyncDisposable {
  /** Whether all configured models are imported. Until then, an unknown name may belong to one of the others. */
  complete = true
  readonly #models: ServedModel[] = []

  /**
   * Serves one more model, or one that is served already under one more name.
   * @returns whether its manifest is new here
   */
  add(model: ServedModel): boolean {
    const { manifestSha256 } = model.placeable
    const at = this.#models.findIndex(other => other.placeable.manifestSha256 === manifestSha256)
    const same = this.#models[at]
    if (same === undefined) {
      this.#models.push(model)
      return true
    }
    this.#models[at] = { ...same, aliases: [...same.aliases, model.id, ...model.aliases] }
    return false
  }

  /** Ends what runs for them. */
  async [Symbol.asyncDispose](): Promise<void> {
    const decoders = this.#models.filter(model => model.kind === 'decoder')
    await Promise.all(decoders.map(({ prompts }) => prompts[Symbol.asyncDispose]()))
  }

  list(): readonly ServedModel[] {
    return this.#models
  }

  /** One more name for a model. @throws MeshError `model_not_found` */
  alias(name: string, model: string): void {
    const known = this.find(model)
    this.#models[this.#models.indexOf(known)] = { ...known, aliases: [...known.aliases, name] }
  }

  has(name: string): boolean {
    return this.#named(name) !== undefined
  }

  /** @throws MeshError `model_not_found` naming what is served; `unavailable` while models are still being imported */
  find(name: string | undefined): ServedModel {
    const found = name === undefined ? undefined : this.#named(name)
    if (found !== undefined) return found
    if (!this.complete) {
      throw new MeshError('unavailable', `the coordinator is starting and still imports its models`, {
        hint: 'Try again in a moment; GET /v1/models lists those that are here.'
      })
    }
    const served = this.#models.map(model => `"${model.id}"`).join(', ') || 'none yet'
    const message = name === undefined ? 'the request names no model' : `no model "${name}" is served here`
    throw new MeshError('model_not_found', message, {
      hint: `Name one of those that are: ${served}.`,
      details: { param: 'model' }
    })
  }

  /** @throws MeshError `model_not_found`; `invalid_request` for an encoder */
  findDecoder(name: string | undefined): ServedDecoder {
    const model = this.find(name)
    if (model.kind === 'decoder') return model
    throw this.#otherKind(model, 'turns texts into vectors and does not generate text', 'decoder', '/v1/embeddings')
  }

  /** @throws MeshError `model_not_found`; `invalid_request` for a model that generates text */
  findEncoder(name: string | undefined): ServedEncoder {
    const model = this.find(name)
    if (model.kind === 'encoder') return model
    throw this.#otherKind(model, 'generates text and gives no embeddings', 'encoder', '/v1/chat/completions')
  }

  #otherKind(model: ServedModel, what: string, wanted: ServedModel['kind'], path: string): MeshError {
    const fitting = this.#models.filter(({ kind }) => kind === wanted).map(({ id }) => `"${id}"`)
    const others = fitting.length > 0 ? `Name one of ${fitting.join(', ')}` : 'No other is served here'
    return new MeshError('invalid_request', `the model "${model.id}" ${what}`, {
      hint: `${others}, or send it to ${path}.`,
      details: { param: 'model' }
    })
  }

  #named(name: string): ServedModel | undefined {
    return this.#models.find(model => model.id === name || model.aliases.includes(name))
  }
}
