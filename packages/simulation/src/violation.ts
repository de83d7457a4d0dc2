/** Something happened that must never happen. */
export class Violation extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Violation'
  }
}
