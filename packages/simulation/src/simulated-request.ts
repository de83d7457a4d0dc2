import type { GenerationEvent } from '@resultity/generation'
import { GREEDY, MeshError } from '@resultity/interface'
import type { Job, JobEvent } from '@resultity/store'
import type { VirtualProcess } from '@resultity/test-mesh'
import { ExpectedAnswer } from './expected-answer.ts'
import type { RequestInit } from './request-init.ts'
import type { SimulatedCoordinator } from './simulated-coordinator.ts'
import { resultSchema, type SimulatedJobs, TOKEN, tokenSchema } from './simulated-jobs.ts'
import { Violation } from './violation.ts'
import type { World } from './world.ts'

/**
 * - `answered`  whole, and right
 * - `failed`    with an error that says why
 * - `abandoned` its coordinator crashed, and had not promised to go on
 */
export type RequestOutcome = 'answered' | 'failed' | 'abandoned'

/** Where events are changed on their way to the client, so that a bug can be planted. */
export type EventWiring = (events: AsyncIterable<GenerationEvent>) => AsyncIterable<GenerationEvent>

/** How a request may fail here: nobody breaks a protocol, and no part has a bug. */
const PASSING: ReadonlySet<string> = new Set([
  'canceled',
  'deadline_exceeded',
  'layers_missing',
  'node_draining',
  'node_lost',
  'nodes_lost_too_often',
  'resource_exhausted',
  'unavailable'
])

/** One client with one request: checks each token as it comes. */
export class SimulatedRequest {
  readonly name: string
  readonly init: RequestInit
  readonly #world: World
  readonly #wiring: EventWiring
  readonly #id: string
  readonly #answer: ExpectedAnswer
  readonly #hangUp = new AbortController()
  #outcome: RequestOutcome | undefined
  /** Its job is stored: whatever happens, it will be done. */
  #promised = false
  /** Of the job's log, as far as the client has read it. */
  #lastEntry = 0
  #crashes = 0

  constructor(world: World, index: number, init: RequestInit, wiring: EventWiring) {
    this.#world = world
    this.name = `request ${index}`
    this.init = init
    this.#wiring = wiring
    this.#id = `req_${index.toString(16).padStart(32, '0')}`
    this.#answer = new ExpectedAnswer(this.name, world.model.manifest, init.prompt, init.tokensMax)
  }

  /** Undefined until it has ended. */
  get outcome(): RequestOutcome | undefined {
    return this.#outcome
  }

  /** Times that its coordinator crashed while it was under way. */
  get crashes(): number {
    return this.#crashes
  }

  /** Resolves at its end. @throws Violation */
  async run({ mesh, jobs, machine }: SimulatedCoordinator): Promise<void> {
    if (mesh === undefined || jobs === undefined || machine === undefined) {
      return this.#end('abandoned', 'no coordinator')
    }
    const { via, workClass, patienceMs, tokensMax, prompt, namespace } = this.init
    this.#world.prompts.add(namespace, prompt)
    this.#world.trace.add(this.name, `asks for ${tokensMax} tokens after ${prompt.length}, ${workClass}, ${via}`)
    if (patienceMs !== undefined) {
      machine.setTimeout(() => this.#hangUp.abort(new MeshError('canceled', 'hung up')), patienceMs)
    }
    await this.#until(async () => {
      if (via === 'driver') return await this.#ofDriver(mesh.driver, machine)
      await this.#submit(jobs)
      await this.#follow(jobs, machine)
    })
  }

  /** Its coordinator crashes. */
  coordinatorCrashed(): void {
    const goesOn = this.init.via === 'detached' && this.#promised
    if (this.#outcome !== undefined) return
    this.#crashes++
    if (!goesOn) this.#end('abandoned', 'the coordinator crashed')
  }

  /** The coordinator is back. @throws Violation */
  async coordinatorStarted({ jobs, machine }: SimulatedCoordinator): Promise<void> {
    if (this.#outcome !== undefined || jobs === undefined || machine === undefined) return
    await this.#until(() => this.#follow(jobs, machine))
  }

  async #until(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error instanceof Violation) throw error
      if (!(error instanceof MeshError)) throw new Violation(`${this.name} ended without a code`, { cause: error })
      this.#fail(error.code, error.message, error)
    }
  }

  async #ofDriver(driver: NonNullable<SimulatedCoordinator['mesh']>['driver'], machine: VirtualProcess): Promise<void> {
    const { prompt, tokensMax, workClass, namespace } = this.init
    const { placeable, tokenizer } = this.#world.model.served
    const generation = await driver.start(
      { model: placeable, tokenizer, prompt, tokensMax, sampling: GREEDY, stop: [], ignoreEndTokens: false },
      { signal: this.#hangUp.signal, workClass, namespace }
    )
    await using _ = generation
    for await (const event of this.#wiring(generation.events)) {
      if (event.type === 'token') this.#token(event.tokenId)
      if (event.type === 'end') {
        this.#answer.requireWhole(event.usage.completionTokens)
        this.#requireKept(event.usage.cachedTokens)
        return this.#end('answered', `${event.usage.completionTokens} tokens`)
      }
      await this.#read(machine)
    }
    throw new Violation(`${this.name} ended without an end`)
  }

  async #submit(jobs: SimulatedJobs): Promise<void> {
    const { via, workClass, namespace } = this.init
    await jobs.runtime.submit(jobs.prepare(this.init, workClass === 'interactive'), {
      id: this.#id,
      endpoint: jobs.path,
      namespace,
      keyId: null,
      class: workClass,
      detached: via === 'detached'
    })
    this.#promised = true
    this.#world.trace.add(this.name, 'is stored')
    const cancel = (): void => void jobs.runtime.cancel(this.#id).catch(() => undefined)
    this.#hangUp.signal.addEventListener('abort', cancel, { once: true })
    if (this.#hangUp.signal.aborted) cancel()
  }

  /** Reads the job's log from where it has read to, up to the job's end. */
  async #follow(jobs: SimulatedJobs, machine: VirtualProcess): Promise<void> {
    using following = jobs.runtime.follow(this.#id)
    const entries = following.entries(this.#lastEntry)
    for (;;) {
      const { value, done } = await entries.next()
      if (done === true) return this.#jobEnded(value)
      this.#entry(value)
      await this.#read(machine)
    }
  }

  #entry({ number, type, data }: JobEvent): void {
    if (number !== this.#lastEntry + 1) {
      throw new Violation(`${this.name} got entry ${number} of its log after ${this.#lastEntry}`)
    }
    this.#lastEntry = number
    if (type === TOKEN) this.#token(tokenSchema.parse(data).token)
  }

  #requireKept(cachedTokens = 0): void {
    const { namespace, prompt } = this.init
    this.#world.prompts.requireKept(this.name, namespace, prompt, cachedTokens)
  }

  #jobEnded({ state, result, error, usage }: Job): void {
    if (state === 'succeeded') {
      const { tokens, count } = resultSchema.parse(result?.body)
      this.#answer.requireSame(tokens, count)
      this.#requireKept(usage?.cachedTokens)
      if (this.init.workClass === 'interactive') this.#answer.requireWhole(count)
      this.#end('answered', `${count} tokens`)
    } else if (state === 'failed') this.#fail(error?.code ?? 'no code', error?.message ?? '', error)
    else this.#end('failed', state)
  }

  #fail(code: string, message: string, cause: unknown): void {
    // what a stage says when its coordinator has counted wrong
    const uncounted = code === 'resource_exhausted' && message.includes('sessions of this stage are open')
    if (!PASSING.has(code) || uncounted) {
      throw new Violation(`${this.name} ended with ${code}, which no fault here explains: ${message}`, { cause })
    }
    this.#end('failed', `[${code}] ${message}`)
  }

  #token(token: number): void {
    this.#world.trace.add(this.name, `token ${this.#answer.take(token)} is ${token}`)
    if (this.init.via === 'detached') this.#world.onLastingToken()
  }

  /** Takes the time that reading takes. */
  async #read(machine: VirtualProcess): Promise<void> {
    if (this.init.readMs > 0) await machine.sleep(this.init.readMs)
  }

  #end(outcome: RequestOutcome, how: string): void {
    this.#outcome = outcome
    this.#world.trace.add(this.name, `${outcome}: ${how}`)
  }
}
