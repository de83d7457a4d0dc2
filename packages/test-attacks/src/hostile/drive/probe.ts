import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { type Latencies, latencies } from './latencies.ts'
import type { ProbeMessage, ProbeResults, ProbeTargets, SlowProbe } from './probe-messages.ts'

export interface ProbeReport {
  /** Of the coordinator, of every node, and of the probe's own timers, by name. */
  readonly latencies: Readonly<Record<string, Latencies>>
  readonly failures: readonly string[]
}

/** Asks the coordinator for its health and pings every node, all the time, from a thread of its own. */
export class Probe {
  readonly #worker: Worker
  readonly #ready = Promise.withResolvers<void>()
  readonly #results = Promise.withResolvers<ProbeResults>()
  readonly #intervalMs: number

  private constructor(targets: ProbeTargets, onSlow: (slow: SlowProbe) => void) {
    this.#intervalMs = targets.intervalMs
    this.#worker = new Worker(new URL('./probe-thread.js', import.meta.url), { workerData: targets })
    this.#worker.on('message', (message: ProbeMessage) => {
      if (message.type === 'slow') onSlow(message)
      else if (message.type === 'ready') this.#ready.resolve()
      else this.#results.resolve(message)
    })
    this.#worker.on('error', error => {
      this.#ready.reject(error)
      this.#results.reject(error)
    })
    // stopping it reports the failure; until then it may fail silently
    this.#results.promise.catch(() => undefined)
  }

  /** Resolves once it has reached everybody. `onSlow` is told of probes that take long, as they end. */
  static async start(targets: ProbeTargets, onSlow: (slow: SlowProbe) => void): Promise<Probe> {
    const probe = new Probe(targets, onSlow)
    await probe.#ready.promise
    return probe
  }

  async stop(): Promise<ProbeReport> {
    this.#worker.postMessage('stop')
    const { samples, failures } = await this.#results.promise
    await once(this.#worker, 'exit')
    const summed = Object.entries(samples).map(([target, all]) => [target, latencies(all, this.#intervalMs)])
    return { latencies: Object.fromEntries(summed), failures }
  }
}
