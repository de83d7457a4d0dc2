import type { GenerationEvent } from '@resultity/generation'
import { GREEDY, MeshError, type WorkClass } from '@resultity/interface'
import { answerOf, type SeededRandom } from '@resultity/test-mesh'
import type { SimulatedCoordinator } from './simulated-coordinator.ts'
import { LIMITS } from './simulated-coordinator.ts'
import { Violation } from './violation.ts'
import type { World } from './world.ts'

/** What a client asks for. */
export interface RequestInit {
  readonly prompt: readonly number[]
  readonly tokensMax: number
  readonly workClass: WorkClass
  /** Hangs up after so long; undefined: waits for the end. */
  readonly patienceMs: number | undefined
  /** Takes so long to read a token. */
  readonly readMs: number
}

/**
 * - `answered`  whole, and right
 * - `failed`    with an error that says why
 * - `abandoned` its coordinator crashed: nobody is there to tell the client
 */
export type RequestOutcome = 'answered' | 'failed' | 'abandoned'

/** Where events are changed on their way to the client, so that a bug can be planted. */
export type EventWiring = (events: AsyncIterable<GenerationEvent>) => AsyncIterable<GenerationEvent>

const PROMPT_MAX = 40
const ANSWER_MAX = 32

export function drawRequest(random: SeededRandom, vocabularySize: number): RequestInit {
  return {
    prompt: Array.from({ length: random.between(1, PROMPT_MAX) }, () => random.below(vocabularySize - 1)),
    tokensMax: random.between(1, ANSWER_MAX),
    workClass: random.chance(0.2) ? 'batch' : 'interactive',
    patienceMs: random.chance(0.15) ? 5000 * random.fraction() : undefined,
    readMs: random.chance(0.2) ? 50 * random.fraction() : 0
  }
}

/** How a request may fail here: nobody breaks a protocol, and no part has a bug. */
const PASSING: ReadonlySet<MeshError['code']> = new Set([
  'canceled',
  'deadline_exceeded',
  'layers_missing',
  'node_lost',
  'resource_exhausted',
  'unavailable'
])

/** Batch work waits that much longer, by `BATCH_PATIENCE` of generation. */
const BATCH_FACTOR = 10

/** No request takes longer, whatever happens: the sum of all that one may wait for. */
export function longestMs({ prompt, tokensMax, workClass, readMs }: RequestInit): number {
  const patience = workClass === 'batch' ? BATCH_FACTOR : 1
  const leaseMs = LIMITS.placementWaitMs + LIMITS.slotWaitMs * patience
  const openMs = LIMITS.sessionOpenMs + LIMITS.sessionCloseMs + LIMITS.lossNoticeMs
  const tokensMs = LIMITS.firstTokenMs + prompt.length * LIMITS.promptTokenMs + tokensMax * LIMITS.nextTokenMs
  return LIMITS.routeAttemptsMax * (leaseMs + openMs) + tokensMs * patience + tokensMax * readMs
}

/** One client with one request: checks each token as it comes. */
export class SimulatedRequest {
  readonly name: string
  readonly init: RequestInit
  readonly #world: World
  readonly #wiring: EventWiring
  readonly #expected: readonly number[]
  readonly #hangUp = new AbortController()
  #outcome: RequestOutcome | undefined
  #taken = 0

  constructor(world: World, name: string, init: RequestInit, wiring: EventWiring) {
    this.#world = world
    this.name = name
    this.init = init
    this.#wiring = wiring
    this.#expected = answerOf(world.model.manifest, init.prompt, init.tokensMax)
  }

  /** Undefined until it has ended. */
  get outcome(): RequestOutcome | undefined {
    return this.#outcome
  }

  /** Resolves at its end. @throws Violation */
  async run(coordinator: SimulatedCoordinator): Promise<void> {
    const { mesh, machine } = coordinator
    const { workClass, patienceMs } = this.init
    if (mesh === undefined || machine === undefined) return this.#end('abandoned', 'no coordinator')
    const { trace } = this.#world
    trace.add(this.name, `asks for ${this.init.tokensMax} tokens after ${this.init.prompt.length}, ${workClass}`)
    if (patienceMs !== undefined)
      machine.setTimeout(() => this.#hangUp.abort(new MeshError('canceled', 'hung up')), patienceMs)
    try {
      await this.#read(mesh.driver, machine)
    } catch (error) {
      if (error instanceof Violation) throw error
      if (!(error instanceof MeshError)) throw new Violation(`${this.name} ended without a code`, { cause: error })
      this.#fail(error)
    }
  }

  /** Its coordinator is gone. */
  abandon(): void {
    if (this.#outcome === undefined) this.#end('abandoned', 'the coordinator crashed')
  }

  async #read(
    driver: NonNullable<SimulatedCoordinator['mesh']>['driver'],
    machine: NonNullable<SimulatedCoordinator['machine']>
  ): Promise<void> {
    const { prompt, tokensMax, workClass, readMs } = this.init
    const { placeable, tokenizer } = this.#world.model
    const generation = await driver.start(
      { model: placeable, tokenizer, prompt, tokensMax, sampling: GREEDY, stop: [], ignoreEndTokens: false },
      { signal: this.#hangUp.signal, workClass }
    )
    await using _ = generation
    for await (const event of this.#wiring(generation.events)) {
      if (event.type === 'token') this.#token(event.tokenId)
      if (event.type === 'end') return this.#whole(event.usage.completionTokens)
      if (readMs > 0) await machine.sleep(readMs)
    }
    throw new Violation(`${this.name} ended without an end`)
  }

  #fail(error: MeshError): void {
    if (!PASSING.has(error.code)) {
      throw new Violation(`${this.name} ended with ${error.code}, which no fault here explains`, { cause: error })
    }
    this.#end('failed', `[${error.code}] ${error.message}`)
  }

  #token(token: number): void {
    const expected = this.#expected[this.#taken]
    if (token !== expected) {
      throw new Violation(`${this.name} got ${token} as token ${this.#taken}, it is ${expected}`)
    }
    this.#world.trace.add(this.name, `token ${this.#taken} is ${token}`)
    this.#taken++
  }

  /** An end token counts and is not handed out. */
  #whole(count: number): void {
    const { length } = this.#expected
    if (count !== length || this.#taken < length - 1) {
      throw new Violation(`${this.name} got ${this.#taken} tokens and was told of ${count}, there are ${length}`)
    }
    this.#end('answered', `${count} tokens`)
  }

  #end(outcome: RequestOutcome, how: string): void {
    this.#outcome = outcome
    this.#world.trace.add(this.name, `${outcome}: ${how}`)
  }
}
