import type { GenerationDriver, RouteLeases } from '@resultity/generation'
import type { AnswerMetrics } from '@resultity/openai'
import type { NodeRegistry, PlacementDirector } from '@resultity/placement'
import type { JobClass } from '@resultity/store'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export interface MetricsComponents {
  readonly registry: NodeRegistry
  readonly director: PlacementDirector
  readonly leases: RouteLeases
  readonly driver: GenerationDriver
}

/** From a stage on a fast machine to a prompt of minutes. */
const FIRST_TOKEN_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]

/** From 500 tokens a second to one in two seconds. */
const TOKEN_SECONDS = [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2]

/** Prometheus metrics of one coordinator; several in one process do not mix. */
export class Metrics implements AnswerMetrics {
  readonly #prometheus = new Registry()
  readonly requests: Counter<'route' | 'method' | 'status'>
  readonly generations: Counter<'model' | 'outcome'>
  readonly reroutes: Counter<'model' | 'exact'>
  readonly promptTokens: Counter<'model'>
  readonly cachedTokens: Counter<'model'>
  readonly completionTokens: Counter<'model'>
  readonly firstTokenSeconds: Histogram<'model'>
  readonly tokenSeconds: Histogram<'model'>

  constructor(components: MetricsComponents) {
    const registers = [this.#prometheus]
    collectDefaultMetrics({ register: this.#prometheus })
    this.requests = new Counter({
      name: 'resultity_http_requests_total',
      help: 'HTTP requests answered.',
      labelNames: ['route', 'method', 'status'],
      registers
    })
    this.generations = new Counter({
      name: 'resultity_generations_total',
      help: 'Answers that ended: stop, length, or the code of the error.',
      labelNames: ['model', 'outcome'],
      registers
    })
    this.reroutes = new Counter({
      name: 'resultity_reroutes_total',
      help: 'Routes that were lost from under answers that went on and ended; exact: as if nothing had happened.',
      labelNames: ['model', 'exact'],
      registers
    })
    this.promptTokens = new Counter({
      name: 'resultity_prompt_tokens_total',
      help: 'Tokens of the prompts of answers that ended.',
      labelNames: ['model'],
      registers
    })
    this.cachedTokens = new Counter({
      name: 'resultity_prompt_tokens_cached_total',
      help: 'Those of them that stages had kept from earlier prompts, and did not compute.',
      labelNames: ['model'],
      registers
    })
    this.completionTokens = new Counter({
      name: 'resultity_completion_tokens_total',
      help: 'Tokens sampled.',
      labelNames: ['model'],
      registers
    })
    this.firstTokenSeconds = new Histogram({
      name: 'resultity_time_to_first_token_seconds',
      help: 'From the request to its first token.',
      labelNames: ['model'],
      buckets: FIRST_TOKEN_SECONDS,
      registers
    })
    this.tokenSeconds = new Histogram({
      name: 'resultity_time_per_token_seconds',
      help: 'From one token to the next.',
      labelNames: ['model'],
      buckets: TOKEN_SECONDS,
      registers
    })
    this.#addGauges(components)
  }

  get contentType(): string {
    return this.#prometheus.contentType
  }

  text(): Promise<string> {
    return this.#prometheus.metrics()
  }

  /** Adds what the job runtime knows, which needs the metrics itself. */
  watchJobs(runtime: { readonly running: number; readonly queued: Readonly<Record<JobClass, number>> }): void {
    this.#gauge('resultity_jobs_running', 'Jobs at work here.', () => runtime.running)
    this.#gauge(
      'resultity_jobs_queued',
      'Jobs of waiting clients that have no place yet.',
      () => runtime.queued.interactive
    )
    this.#gauge('resultity_jobs_queued_batch', 'Jobs of batches that have no place yet.', () => runtime.queued.batch)
  }

  /** Read from the parts themselves at each scrape. */
  #addGauges({ registry, director, leases, driver }: MetricsComponents): void {
    this.#gauge('resultity_nodes', 'Nodes connected.', () => registry.list().length)
    this.#gauge('resultity_sessions_open', 'Answers being made.', () => driver.active)
    this.#gauge('resultity_requests_waiting', 'Requests waiting for a slot or a placement.', () => leases.waiting)
    this.#gauge('resultity_slots', 'Slots of ready placements.', () =>
      director.table
        .all()
        .filter(placement => placement.state === 'ready')
        .reduce((sum, placement) => sum + placement.model.sessionsMax, 0)
    )
    this.#countByState('resultity_placements', 'Placements.', () => director.table.all().map(one => one.state))
    this.#countByState('resultity_stages', 'Stages of all placements.', () =>
      director.table.all().flatMap(placement => placement.stages.map(stage => stage.report.state))
    )
  }

  #gauge(name: string, help: string, read: () => number): void {
    const registers = [this.#prometheus]
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read())
      }
    })
  }

  #countByState(name: string, help: string, states: () => readonly string[]): void {
    const registers = [this.#prometheus]
    new Gauge({
      name,
      help: `${help} By state.`,
      labelNames: ['state'],
      registers,
      collect() {
        this.reset()
        for (const state of states()) this.inc({ state })
      }
    })
  }
}
