import { MeshError } from '@resultity/interface'
import type { ModelTokenizer } from '@resultity/model'
import type { PlaceableModel } from './placement/placeable-model.ts'

/** A model that requests may name. */
export interface ServedModel {
  /** Its name in the API. */
  readonly id: string
  /** Other names that it answers to: the reference it was imported by. */
  readonly aliases: readonly string[]
  readonly placeable: PlaceableModel
  readonly tokenizer: ModelTokenizer
  /** Unix seconds since when it is served. */
  readonly createdAt: number
}

/** The models of a coordinator, by name. */
export class ServedModels {
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

  list(): readonly ServedModel[] {
    return this.#models
  }

  /** @throws MeshError `model_not_found` naming what is served */
  find(name: string | undefined): ServedModel {
    const found = this.#models.find(model => model.id === name || (name !== undefined && model.aliases.includes(name)))
    if (found !== undefined) return found
    const served = this.#models.map(model => `"${model.id}"`).join(', ') || 'none yet'
    const message = name === undefined ? 'the request names no model' : `no model "${name}" is served here`
    throw new MeshError('model_not_found', message, {
      hint: `Name one of those that are: ${served}.`,
      details: { param: 'model' }
    })
  }
}
