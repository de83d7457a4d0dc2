import { createHash } from 'node:crypto'
import { type Logger, pino } from 'pino'

/** Events that are kept to be shown; all count for the hash. */
const KEPT_MAX = 200

/** All that happened, in order: the same for the same seed. */
export class Trace {
  readonly #elapsedMs: () => number
  readonly #hash = createHash('sha256')
  readonly #last: string[] = []
  #count = 0

  constructor(elapsedMs: () => number) {
    this.#elapsedMs = elapsedMs
  }

  /** Events so far. */
  get count(): number {
    return this.#count
  }

  /** The last events. */
  get last(): readonly string[] {
    return this.#last
  }

  add(who: string, what: string): void {
    const line = `${(this.#elapsedMs() / 1000).toFixed(6)} ${who}: ${what}`
    this.#count++
    this.#hash.update(line).update('\n')
    this.#last.push(line)
    if (this.#last.length > KEPT_MAX) this.#last.shift()
  }

  /** A logger whose lines are events. */
  logger(who: string): Logger {
    const write = (line: string): void => this.add(who, String(JSON.parse(line).msg))
    return pino({ level: 'info', timestamp: false, base: null }, { write })
  }

  /** Of everything so far. */
  digest(): string {
    return this.#hash.copy().digest('hex')
  }
}
