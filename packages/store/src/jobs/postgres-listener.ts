import { setTimeout as delay } from 'node:timers/promises'
import { withDeadline } from '@resultity/interface'
import pg from 'pg'
import { connectionSettings } from '../database/postgres-pool.ts'
import { postgresError } from '../database/statement-error.ts'

const BACKOFF_MS_MIN = 100
const BACKOFF_MS_MAX = 10_000

/** How often the connection is tried; it carries nothing by itself that would show that the server is gone. */
const PROBE_MS = 15_000

/** A server that is gone does not say goodbye. */
const CLOSE_TIMEOUT_MS = 2000

export interface ListenerInit {
  readonly url: string
  readonly channel: string
  onPayload(payload: string): void
  /** Called when listening resumes after a break: notices sent during the break are lost. */
  onBreak(): void
}

interface Connection {
  readonly client: pg.Client
  readonly broken: PromiseWithResolvers<void>
}

/** One connection that does nothing but listen, and comes back when it breaks. */
export class PostgresListener implements AsyncDisposable {
  readonly #init: ListenerInit
  readonly #stop = new AbortController()
  #connection: Connection | undefined
  #running: Promise<void> = Promise.resolve()

  private constructor(init: ListenerInit) {
    this.#init = init
  }

  /** @throws MeshError when the first connection does not succeed */
  static async start(init: ListenerInit): Promise<PostgresListener> {
    const listener = new PostgresListener(init)
    await listener.#connect()
    listener.#running = listener.#run()
    return listener
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    const connection = this.#connection
    await withDeadline('closing the listener', CLOSE_TIMEOUT_MS, async () => connection?.client.end()).catch(() => {
      // it was broken, or is now
    })
    connection?.broken.resolve()
    await this.#running
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#connection?.broken.promise
      for (let backoffMs = BACKOFF_MS_MIN; ; backoffMs = Math.min(backoffMs * 2, BACKOFF_MS_MAX)) {
        if (this.#stop.signal.aborted) return
        try {
          await this.#connect()
          break
        } catch {
          // the server is still away; many coordinators do not come back at the same moment
          const jittered = backoffMs * (0.5 + Math.random() / 2)
          await delay(jittered, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined)
        }
      }
      this.#init.onBreak()
    }
  }

  async #connect(): Promise<void> {
    const client = new pg.Client(connectionSettings(this.#init.url))
    const broken = Promise.withResolvers<void>()
    client.on('error', () => broken.resolve())
    client.on('end', () => broken.resolve())
    client.on('notification', ({ payload = '' }) => this.#init.onPayload(payload))
    try {
      await client.connect()
      await client.query(`listen ${client.escapeIdentifier(this.#init.channel)}`)
    } catch (error) {
      client.end().catch(() => undefined)
      throw postgresError(error)
    }
    this.#connection = { client, broken }
    const probe = setInterval(() => {
      client.query('select 1').catch(() => {
        broken.resolve()
        client.end().catch(() => undefined)
      })
    }, PROBE_MS)
    probe.unref()
    broken.promise.then(
      () => clearInterval(probe),
      () => undefined
    )
  }
}
