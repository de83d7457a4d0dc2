import { type Clock, MeshError, type Scheduler, systemScheduler, type Timer } from '@resultity/interface'
import type { Delivery, DeliveryAttempt, DeliveryQueue, Webhook, WebhookStore } from '@resultity/store'
import type { Logger } from 'pino'
import { hasArrived, isGone, outcomeOf } from './delivery-plan.ts'
import { type PostInit, post } from './post.ts'
import { bodyOf, signedHeaders } from './signature.ts'

export interface CourierComponents {
  readonly webhooks: WebhookStore
  readonly queue: DeliveryQueue
  readonly clock: Clock
  readonly logger: Logger
  /** Default: the machine's time. */
  readonly scheduler?: Scheduler
}

export interface CourierInit extends PostInit {
  /** Version of this software, for the receiver's logs. */
  readonly version: string
  /** Deliveries in progress at once, to all receivers and to one. */
  readonly deliveriesMax: number
  readonly deliveriesPerWebhookMax: number
  /** Deliveries that may wait for one receiver. A receiver with more is disabled. */
  readonly deliveriesWaitingMax: number
  /** How often the queue is looked at. */
  readonly webhookPollMs: number
  /** A receiver that has accepted nothing for this time is disabled. */
  readonly webhookFailingMs: number
}

/** Time for deliveries in progress when the coordinator stops. */
const STOP_MS = 2000

/** A delivery whose coordinator ended is sent again after the timeout and this time. */
const LEASE_SPARE_MS = 15_000

/** Takes deliveries from the queue to their receivers, until it is disposed. */
export class WebhookDeliveryWorker implements AsyncDisposable {
  readonly #components: CourierComponents
  readonly #init: CourierInit
  readonly #scheduler: Scheduler
  readonly #timer: Timer
  readonly #underWay = new Map<Promise<void>, string>()
  readonly #stop = new AbortController()
  #looking: Promise<void> | undefined
  #again = false
  #stopped = false

  constructor(components: CourierComponents, init: CourierInit) {
    this.#components = components
    this.#init = init
    this.#scheduler = components.scheduler ?? systemScheduler
    this.#timer = this.#scheduler.setInterval(() => this.look(), init.webhookPollMs)
    // what is queued is safe without this process
    this.#timer.unref()
  }

  /** Looks for deliveries that are due: call it when there may be one. */
  look(): void {
    if (this.#stopped) return
    if (this.#looking !== undefined) {
      this.#again = true
      return
    }
    this.#again = false
    this.#looking = this.#take().finally(() => {
      this.#looking = undefined
      if (this.#again) this.look()
    })
  }

  /**
   * Takes no more deliveries. Those in progress have a moment to end; the next process sends the interrupted ones
   * again.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    this.#scheduler.clear(this.#timer)
    const timer = this.#scheduler.setTimeout(() => this.#stop.abort(), STOP_MS)
    await this.#looking
    await Promise.all(this.#underWay.keys())
    this.#scheduler.clear(timer)
  }

  async #take(): Promise<void> {
    const { queue, clock, logger } = this.#components
    const { deliveriesMax, deliveriesPerWebhookMax, timeoutMs } = this.#init
    const count = deliveriesMax - this.#underWay.size
    if (count <= 0) return
    try {
      const busy = [...new Set(this.#underWay.values())]
      const deliveries = await queue.claim(clock.now(), timeoutMs + LEASE_SPARE_MS, {
        count,
        perWebhook: deliveriesPerWebhookMax,
        except: busy
      })
      for (const delivery of deliveries) this.#begin(delivery)
    } catch (error) {
      // the next look tries again
      logger.warn({ err: error }, 'the queue of webhook deliveries did not answer')
    }
  }

  #begin(delivery: Delivery): void {
    const done: Promise<void> = this.#deliver(delivery).finally(() => {
      this.#underWay.delete(done)
      this.look()
    })
    this.#underWay.set(done, delivery.webhookId)
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { webhooks, queue, logger } = this.#components
    const { id, webhookId } = delivery
    try {
      const webhook = await webhooks.find(webhookId)
      if (webhook === undefined) return
      const attempt = await this.#attempt(webhook, delivery)
      await queue.report(delivery, attempt, outcomeOf(delivery, attempt, this.#scheduler.random()))
      if (hasArrived(attempt)) await webhooks.succeeded(webhookId)
      const reason = await this.#reasonToGiveUp(webhook, attempt)
      if (reason === undefined) return
      await webhooks.disable(webhookId, reason, attempt.atMs)
      logger.warn({ webhookId, reason }, 'a webhook was disabled')
    } catch (error) {
      // its lease ends, and then it is sent again
      logger.warn({ err: error, deliveryId: id, webhookId }, 'a webhook delivery was not written down')
    }
  }

  async #attempt({ url, secret }: Webhook, delivery: Delivery): Promise<DeliveryAttempt> {
    const { clock } = this.#components
    const body = bodyOf(delivery)
    const atMs = clock.now()
    const headers = {
      ...signedHeaders(delivery.id, body, secret, atMs),
      'content-type': 'application/json',
      'user-agent': `resultity-webhooks/${this.#init.version}`
    }
    const begun = this.#scheduler.monotonic()
    const { signal } = this.#stop
    const result = await post(url, body, headers, this.#init, { signal }).then(
      status => ({ status, error: status >= 200 && status < 300 ? null : `the receiver answered ${status}` }),
      (error: unknown) => {
        signal.throwIfAborted()
        return { status: null, error: MeshError.from(error).message }
      }
    )
    return { atMs, durationMs: Math.round(this.#scheduler.monotonic() - begun), ...result }
  }

  async #reasonToGiveUp({ id }: Webhook, attempt: DeliveryAttempt): Promise<string | undefined> {
    const { webhooks, queue } = this.#components
    const { webhookFailingMs, deliveriesWaitingMax } = this.#init
    if (isGone(attempt)) return 'the receiver answered 410: gone'
    if (!hasArrived(attempt) && attempt.atMs - (await webhooks.failed(id, attempt.atMs)) >= webhookFailingMs) {
      return `nothing arrived for ${Math.round(webhookFailingMs / 3_600_000)} hours`
    }
    if (await queue.hasMoreThan(deliveriesWaitingMax, id)) return `more than ${deliveriesWaitingMax} events wait for it`
    return undefined
  }
}
