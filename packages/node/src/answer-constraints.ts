import { ConstraintCompiler } from '@resultity/engine'
import type { TokenVocabulary } from '@resultity/model'

/**
 * Makes the constraints of the answers of one stage. The vocabulary is read when the first answer needs it: most models
 * are never asked for one, and a big vocabulary takes some megabytes.
 */
export class AnswerConstraints {
  readonly #load: () => Promise<TokenVocabulary>
  #compiler: Promise<ConstraintCompiler> | undefined

  constructor(load: () => Promise<TokenVocabulary>) {
    this.#load = load
  }

  /** @throws MeshError `model_invalid` when the vocabulary cannot be read; the next call tries again */
  compiler(): Promise<ConstraintCompiler> {
    this.#compiler ??= this.#load().then(
      vocabulary => new ConstraintCompiler(vocabulary),
      (error: unknown) => {
        this.#compiler = undefined
        throw error
      }
    )
    return this.#compiler
  }
}
