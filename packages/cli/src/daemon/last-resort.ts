import { MeshError } from '@resultity/interface'
import type { Logger } from 'pino'
import { EXIT_FAILED } from '../context.ts'
import { tellParent } from './parent-channel.ts'
import { isShortage, type SurvivableCode, survivableCode } from './survivable.ts'

/** A shortage repeats itself with every try; so often it is written down, with how often it came. */
const SHORTAGE_LOG_MS = 1000

/** Time to release resources after an unexpected error. */
const RELEASE_TIMEOUT_MS = 3000

export interface LastResortInit {
  /** Releases files that are not needed; called when there are too many open files. */
  readonly shed: () => void
  /** Says goodbye to peers and closes; may hang, because the state of the process is unknown. */
  readonly release: () => Promise<void>
}

/**
 * Handles uncaught errors while a daemon runs. An error of one socket and a shortage of file descriptors are logged,
 * and the daemon goes on with less. After any other error the process ends with exit code 1: a part of it is in an
 * unknown state, and its supervisor starts it again.
 */
export class LastResort implements Disposable {
  readonly #logger: Logger
  readonly #init: LastResortInit
  #ending = false
  #lastLogMs = Number.NEGATIVE_INFINITY
  #unlogged = 0

  constructor(logger: Logger, init: LastResortInit) {
    this.#logger = logger
    this.#init = init
    // rejections that nobody handles come here too, as Node's own default has it
    process.on('uncaughtException', this.#onError)
  }

  [Symbol.dispose](): void {
    process.off('uncaughtException', this.#onError)
  }

  readonly #onError = (error: unknown): void => {
    const code = survivableCode(error)
    if (code !== undefined) this.#survive(error, code)
    else void this.#end(error)
  }

  #survive(err: unknown, system: SurvivableCode): void {
    if (!isShortage(system)) {
      this.#logger.warn({ err, code: 'unavailable', system }, 'a connection failed where nobody expected it')
      return
    }
    this.#init.shed()
    const now = performance.now()
    this.#unlogged += 1
    if (now - this.#lastLogMs < SHORTAGE_LOG_MS) return
    const times = this.#unlogged
    this.#lastLogMs = now
    this.#unlogged = 0
    const hint = 'Raise the limit of open files, such as with "ulimit -n 65536" or LimitNOFILE=.'
    this.#logger.error({ err, code: 'resource_exhausted', system, times, hint }, 'out of file descriptors')
  }

  async #end(error: unknown): Promise<void> {
    if (this.#ending) process.exit(EXIT_FAILED)
    this.#ending = true
    const { code, message, hint } = MeshError.from(error)
    this.#logger.fatal({ err: error, code }, 'an error that nobody handled ends this process')
    tellParent({ type: 'error', code, message, hint })
    const timer = setTimeout(() => process.exit(EXIT_FAILED), RELEASE_TIMEOUT_MS)
    await this.#init.release().catch((err: unknown) => this.#logger.error({ err }, 'not all was released'))
    clearTimeout(timer)
    process.exit(EXIT_FAILED)
  }
}
