import { Agent } from 'node:http'
import type { HostileCase } from '../corpus/hostile-case.ts'
import type { ApiClient } from './api-client.ts'
import { faultsOf } from './judge.ts'
import { type Outcome, type SendTarget, sendCase } from './send-case.ts'

/** Something that must not be, and the case that showed it. */
export interface Fault {
  /** Number of the case in its run. */
  readonly index: number
  readonly idea: string
  readonly what: string
}

/** A case that is out, or was a moment ago. */
export interface RecentCase {
  readonly index: number
  readonly idea: string
  readonly startedMs: number
  endedMs: number
}

export interface HostileClientsInit {
  readonly url: string
  readonly apiKey: string
  /** Cases that are out at once. */
  readonly clients: number
  /** Case number `index`; undefined: there are no more. */
  readonly caseOf: (index: number) => HostileCase | undefined
}

const FAULTS_MAX = 200
const BATCHES_MAX = 200
const RECENT_MAX = 200

/** Clients that send cases, each the next as soon as it has one's answer. */
export class HostileClients {
  readonly faults: Fault[] = []
  /** Of each idea, how often what came of it: a status, or why there was none. */
  readonly outcomes = new Map<string, Map<string, number>>()
  /** Cases that had no answer until their client's patience ended. */
  readonly late: { readonly index: number; readonly idea: string }[] = []
  /** Batches that were made of uploaded files. */
  readonly batchIds: string[] = []
  readonly #init: HostileClientsInit
  readonly #api: ApiClient
  readonly #target: SendTarget
  readonly #recent: RecentCase[] = []
  #next = 0

  constructor(init: HostileClientsInit, api: ApiClient) {
    this.#init = init
    this.#api = api
    const agent = new Agent({ keepAlive: true, maxSockets: init.clients * 2 })
    this.#target = { url: init.url, apiKey: init.apiKey, agent }
  }

  /** Cases sent so far. */
  get sent(): number {
    return this.#next
  }

  /** Cases that were out at some time since `sinceMs`, the oldest first. */
  outSince(sinceMs: number): RecentCase[] {
    return this.#recent.filter(({ endedMs }) => endedMs >= sinceMs)
  }

  /** Sends cases until there are no more, or the signal aborts. */
  async sendUntil(signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: this.#init.clients }, () => this.#client(signal)))
    this.#target.agent.destroy()
  }

  async #client(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const index = this.#next
      const drawn = this.#init.caseOf(index)
      if (drawn === undefined) return
      this.#next = index + 1
      const recent = this.#begin(index, drawn)
      const outcome = await sendCase(drawn, this.#target)
      recent.endedMs = performance.now()
      this.#note(index, drawn, outcome)
      await this.#goOn(index, drawn, outcome)
    }
  }

  #begin(index: number, { idea }: HostileCase): RecentCase {
    const recent = { index, idea, startedMs: performance.now(), endedMs: Number.POSITIVE_INFINITY }
    this.#recent.push(recent)
    if (this.#recent.length > RECENT_MAX) this.#recent.splice(0, 1)
    return recent
  }

  #note(index: number, drawn: HostileCase, outcome: Outcome): void {
    const { idea } = drawn
    const counts = this.outcomes.get(idea) ?? new Map<string, number>()
    const came = outcome.kind === 'answered' ? String(outcome.status) : `${outcome.kind} (${outcome.reason})`
    this.outcomes.set(idea, counts.set(came, (counts.get(came) ?? 0) + 1))
    if (outcome.kind === 'gone' && outcome.reason === 'late' && this.late.length < FAULTS_MAX)
      this.late.push({ index, idea })
    for (const what of faultsOf(drawn, outcome)) this.#fault({ index, idea, what })
  }

  #fault(fault: Fault): void {
    if (this.faults.length < FAULTS_MAX) this.faults.push(fault)
  }

  /** A file that was taken is worth a batch. */
  async #goOn(index: number, drawn: HostileCase, outcome: Outcome): Promise<void> {
    if (drawn.request.path !== '/v1/files' || outcome.kind !== 'answered' || outcome.status !== 200) return
    const id = /"id":\s*"(file-[^"]+)"/.exec(outcome.text)?.[1]
    if (id === undefined || this.batchIds.length >= BATCHES_MAX) return
    const body = { input_file_id: id, endpoint: '/v1/chat/completions', completion_window: '24h' }
    const { status, text } = await this.#api.send('POST', '/v1/batches', body).catch(() => ({ status: 0, text: '' }))
    const made: Outcome = { kind: 'answered', status, headers: {}, text }
    if (status !== 0) this.#note(index, { ...drawn, idea: `${drawn.idea}: the batch` }, made)
    if (status === 200) this.batchIds.push(JSON.parse(text).id)
  }
}
