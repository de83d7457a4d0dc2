/**
 * A model has something that its family's record does not compute. Whoever asked for the description adds the file and
 * what is supported.
 */
export class Unsupported extends Error {
  /** What was found, as the subject of "… is not supported". */
  readonly what: string
  /** What is missing here and what to do, where that is known; more is added. */
  readonly advice: string | undefined

  constructor(what: string, advice?: string) {
    super(`${what} is not supported`)
    this.what = what
    this.advice = advice
  }
}
