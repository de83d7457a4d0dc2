/**
 * A model has something that its family's record does not compute. Whoever asked for the description adds the file and
 * what is supported.
 */
export class Unsupported extends Error {
  /** What was found, as the subject of "… is not supported". */
  readonly what: string

  constructor(what: string) {
    super(`${what} is not supported`)
    this.what = what
  }
}
