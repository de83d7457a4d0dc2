import { MeshError, type OutputConstraint } from '@resultity/interface'
import type { ConstraintCompiler, TokenConstraint } from '@resultity/sampling'
import type { TokenVocabulary } from '@resultity/tokenizer'

/**
 * Makes the constraints of the answers of one stage. The vocabulary is read when the first answer needs it: most models
 * are never asked for one, and a big vocabulary takes some megabytes.
 */
export class AnswerConstraints implements Disposable {
  readonly #compiler: ConstraintCompiler
  readonly #load: () => Promise<TokenVocabulary>
  #vocabulary: Promise<TokenVocabulary> | undefined
  #disposed = false

  /** @param compiler of the whole node */
  constructor(compiler: ConstraintCompiler, load: () => Promise<TokenVocabulary>) {
    this.#compiler = compiler
    this.#load = load
  }

  /**
   * @throws MeshError as {@link ConstraintCompiler.constrain} does; `model_invalid` when the vocabulary cannot be read,
   *   and the next call tries again; `unavailable` once the stage is gone
   */
  async constrain(constraint: OutputConstraint, endTokens: ReadonlySet<number>): Promise<TokenConstraint> {
    this.#vocabulary ??= this.#load().catch((error: unknown) => {
      this.#vocabulary = undefined
      throw error
    })
    const vocabulary = await this.#vocabulary
    if (this.#disposed) throw new MeshError('unavailable', 'the stage was released')
    return this.#compiler.constrain(vocabulary, constraint, endTokens)
  }

  /** Releases the vocabulary and all its grammars. */
  [Symbol.dispose](): void {
    this.#disposed = true
    // one that could not be read left nothing
    this.#vocabulary?.then(vocabulary => this.#compiler.release(vocabulary)).catch(() => undefined)
  }
}
