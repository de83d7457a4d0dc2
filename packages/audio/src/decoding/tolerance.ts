import { audioInvalid } from '../audio-invalid.ts'

/** Packets that may be bad whatever their share: the ends of a stream that was cut. */
const BAD_ALWAYS = 4

/** One in so many may be bad: what is left is understood. */
const BAD_SHARE = 20

/** Counts the packets of a stream that cannot be decoded, which are left out, and refuses it when there are too many. */
export class Tolerance {
  readonly #codec: string
  #good = 0
  #bad = 0
  #reason = ''

  constructor(codec: string) {
    this.#codec = codec
  }

  /**
   * @param reason why the packet is bad; undefined when it is good
   * @throws MeshError `invalid_request`: `damaged`
   */
  count(reason: string | undefined): void {
    if (reason === undefined) {
      this.#good++
      return
    }
    this.#bad++
    this.#reason = reason
    if (this.#bad > BAD_ALWAYS && this.#bad * BAD_SHARE > this.#good + 100) this.#refuse()
  }

  /** @throws MeshError `invalid_request`: `damaged`, when nothing could be decoded */
  end(): void {
    if (this.#bad > 0 && this.#good === 0) this.#refuse()
  }

  #refuse(): never {
    const all = this.#good + this.#bad
    throw audioInvalid('damaged', `${this.#bad} of ${all} packets of ${this.#codec} are damaged: ${this.#reason}`)
  }
}
