import { setTimeout as delay } from 'node:timers/promises'
import type { ApiClient } from './api-client.ts'

interface NodeState {
  readonly peerId: string
  readonly joinedAtMs: number
  readonly stages: readonly { readonly sessionsOpen: number }[]
}

/** What requests still hold: all 0 once nothing is left of them. */
export interface Leftovers {
  readonly jobsRunning: number
  readonly jobsQueued: number
  readonly sessionsOpen: number
  readonly requestsWaiting: number
  /** Slots taken on stages, as their nodes say. */
  readonly slotsTaken: number
}

const INTERVAL_MS = 500

/** Looks whether nodes stay, until it is stopped. */
export class MeshWatch {
  readonly #api: ApiClient
  readonly #joined: ReadonlyMap<string, number>
  readonly #left = new Set<string>()
  readonly #stop = new AbortController()
  readonly #running: Promise<void>

  private constructor(api: ApiClient, joined: ReadonlyMap<string, number>) {
    this.#api = api
    this.#joined = joined
    this.#running = this.#run()
  }

  static async start(api: ApiClient): Promise<MeshWatch> {
    const { data } = await api.read<{ data: NodeState[] }>('/v1/mesh/nodes')
    return new MeshWatch(api, new Map(data.map(({ peerId, joinedAtMs }) => [peerId, joinedAtMs])))
  }

  /** Resolves with the peer ids of nodes that were away, those that came back among them. */
  async stop(): Promise<string[]> {
    this.#stop.abort()
    await this.#running
    await this.#look()
    return [...this.#left]
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#look().catch(() => undefined)
      await delay(INTERVAL_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined)
    }
  }

  async #look(): Promise<void> {
    const { data } = await this.#api.read<{ data: NodeState[] }>('/v1/mesh/nodes')
    for (const [peerId, joinedAtMs] of this.#joined) {
      // one that was away and joined again joined later
      if (data.find(node => node.peerId === peerId)?.joinedAtMs !== joinedAtMs) this.#left.add(peerId)
    }
  }
}

/** What requests hold now. */
export async function leftovers(api: ApiClient): Promise<Leftovers> {
  const { text } = await api.send('GET', '/metrics')
  const gauge = (name: string): number =>
    Number(new RegExp(`^resultity_${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
  const { data } = await api.read<{ data: NodeState[] }>('/v1/mesh/nodes')
  return {
    jobsRunning: gauge('jobs_running'),
    jobsQueued: gauge('jobs_queued') + gauge('jobs_queued_batch'),
    sessionsOpen: gauge('sessions_open'),
    requestsWaiting: gauge('requests_waiting'),
    slotsTaken: data.flatMap(node => node.stages).reduce((sum, stage) => sum + stage.sessionsOpen, 0)
  }
}

export function isNothing(left: Leftovers): boolean {
  return Object.values(left).every(count => count === 0)
}
