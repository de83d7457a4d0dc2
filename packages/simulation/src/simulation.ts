import type { VirtualProcess } from '@resultity/test-mesh'
import { FaultInjector } from './fault-injector.ts'
import { drawFault } from './faults.ts'
import { requireBounds, whatIsLeft } from './invariants.ts'
import { tokenTwiceAfterLinkFault } from './planted-bug.ts'
import { drawRequest, longestMs, type RequestInit } from './request-init.ts'
import { SimulatedCoordinator } from './simulated-coordinator.ts'
import { SimulatedNode } from './simulated-node.ts'
import { type RequestOutcome, SimulatedRequest } from './simulated-request.ts'
import { Violation } from './violation.ts'
import { World } from './world.ts'

export interface SimulationInit {
  /** A whole number: everything follows from it. */
  readonly seed: number
  /** Number of nodes. Default: drawn from the seed, mostly 3 to 8, sometimes up to 20. */
  readonly nodeCount?: number
  /** Virtual time in which things go wrong; default 40 s. */
  readonly faultsMs?: number
  /** A bug in the wiring between driver and clients, to be found. Default none. */
  readonly plantedBug?: 'token-twice-after-link-fault'
}

export interface SimulationReport {
  readonly seed: number
  readonly nodeCount: number
  /** Requests by how they ended. */
  readonly requests: Readonly<Record<RequestOutcome, number>>
  /** Of those that were answered: requests whose coordinator crashed meanwhile. */
  readonly resumed: number
  /** Tokens of answers that attempts took over from earlier ones, and did not make again. */
  readonly takenOver: number
  /** Of those that were answered: requests of whose prompt the stages had kept something. */
  readonly reused: number
  readonly faults: number
  /** Virtual time, and steps of it. */
  readonly elapsedMs: number
  readonly steps: number
  /** Of the whole trace: the same for the same seed. */
  readonly digest: string
  /** What must never happen, if it did. */
  readonly violation: Error | undefined
  /** The last events. */
  readonly events: readonly string[]
}

const FAULTS_MS = 40_000
/** Between two faults, and between two requests, at the most. */
const FAULT_PAUSE_MS = 5000
const REQUEST_PAUSE_MS = 1500
/** Until what ended requests hold is free: control streams that nobody ends are given up by pings, leases by themselves. */
const RELEASE_MS = 180_000
/** Until a mesh that is whole again answers: nodes that failed an assignment are left out for up to 16 minutes. */
const RECOVERY_MS = 20 * 60_000
const RETRY_MS = 2000
/** A coordinator that starts reads its database. */
const START_MS = 10_000
/** What is to be said at the end has some seconds. */
const STOP_MS = 10_000

/** Runs one seed: a mesh, its clients and what goes wrong, then a calm in which all must come right again. */
export async function simulate(init: SimulationInit): Promise<SimulationReport> {
  let check = (): void => {}
  const world = await World.make(init.seed, () => check())
  const simulation = new Simulation(init, world)
  check = () => simulation.check()
  return await simulation.run()
}

class Simulation {
  readonly #init: SimulationInit
  readonly #world: World
  readonly #machine: VirtualProcess
  readonly #requests: SimulatedRequest[] = []
  readonly #nodeCount: number
  #coordinator: SimulatedCoordinator | undefined
  #nodes: readonly SimulatedNode[] = []
  #faults: FaultInjector | undefined
  #faultCount = 0
  #violation: Error | undefined
  #over = false

  constructor(init: SimulationInit, world: World) {
    this.#init = init
    this.#world = world
    const { random, scheduler } = this.#world
    this.#machine = scheduler.process()
    const drawn = random.chance(0.05) ? random.between(9, 20) : random.between(3, 8)
    this.#nodeCount = init.nodeCount ?? drawn
  }

  async run(): Promise<SimulationReport> {
    const onRejected = (error: unknown): void =>
      this.#fail(new Violation('a rejection that nobody handled', { cause: error }))
    process.on('unhandledRejection', onRejected)
    try {
      await this.#start()
      await this.#goWrong()
      await this.#comeRight()
      await this.#stopNodes()
    } catch (error) {
      this.#violation ??= error instanceof Error ? error : new Violation(String(error))
    }
    const report = this.#report()
    await this.#end().finally(() => process.off('unhandledRejection', onRejected))
    return report
  }

  /** What is left to be done does not count. */
  async #end(): Promise<void> {
    this.#over = true
    await this.#world.end()
  }

  async #start(): Promise<void> {
    const world = this.#world
    const stages = world.random.chance(0.2) ? 'auto' : world.random.between(1, Math.min(4, this.#nodeCount))
    world.trace.add('simulation', `seed ${this.#init.seed}, ${this.#nodeCount} nodes, stages ${stages}`)
    const coordinator = await SimulatedCoordinator.make(world, stages)
    this.#coordinator = coordinator
    void coordinator.start()
    await world.scheduler.run(() => coordinator.mesh !== undefined, START_MS)
    const nodes: SimulatedNode[] = []
    for (let index = 0; index < this.#nodeCount; index++) nodes.push(await SimulatedNode.make(world, index))
    this.#nodes = nodes
    for (const node of nodes) void node.start(coordinator.address)
    this.#faults = new FaultInjector({
      world,
      nodes,
      coordinator,
      machine: this.#machine,
      onCoordinatorCrash: () => {
        for (const request of this.#requests) request.coordinatorCrashed()
      },
      onCoordinatorStarted: () => {
        for (const request of this.#requests) this.#inTime(request.coordinatorStarted(coordinator))
      }
    })
  }

  /** Requests and faults come as they are drawn, until the time for that is over. */
  async #goWrong(): Promise<void> {
    const { scheduler, random } = this.#world
    const [requests, faults] = [random.fork(), random.fork()]
    const faultsMs = this.#init.faultsMs ?? FAULTS_MS
    const endMs = scheduler.elapsedMs + faultsMs
    const again = (pauseMs: () => number, act: () => void): void => {
      this.#machine.setTimeout(() => {
        if (scheduler.elapsedMs >= endMs) return
        act()
        again(pauseMs, act)
      }, pauseMs())
    }
    again(
      () => REQUEST_PAUSE_MS * requests.fraction(),
      () => this.#ask(drawRequest(requests, this.#vocabularySize))
    )
    again(
      () => FAULT_PAUSE_MS * faults.fraction(),
      () => {
        this.#faultCount++
        this.#inTime(this.#faults?.inject(drawFault(faults, this.#nodeCount)))
      }
    )
    await scheduler.run(() => false, faultsMs)
  }

  async #comeRight(): Promise<void> {
    const { scheduler, trace } = this.#world
    this.#faults?.mend()
    const longest = Math.max(...this.#requests.map(({ init }) => longestMs(init)), 0)
    await scheduler.run(() => this.#requests.every(({ outcome }) => outcome !== undefined), longest)
    // faults that were to pass later: nodes that come back, links that heal
    await scheduler.run(() => false, RETRY_MS)
    const free = await scheduler.run(() => this.#left() === undefined, RELEASE_MS)
    if (!free) throw new Violation(`requests have ended, and after ${RELEASE_MS} ms ${this.#left()}`)
    trace.add('simulation', 'nothing is left')
    await this.#recover()
  }

  /** A mesh without faults answers, in time. */
  async #recover(): Promise<void> {
    const { scheduler, random } = this.#world
    const endMs = scheduler.elapsedMs + RECOVERY_MS
    for (;;) {
      const init = { ...drawRequest(random, this.#vocabularySize), patienceMs: undefined, readMs: 0 }
      const request = this.#ask(init)
      await scheduler.run(() => request.outcome !== undefined, longestMs(init))
      if (request.outcome === 'answered') return
      if (scheduler.elapsedMs > endMs)
        throw new Violation(`a mesh without faults does not answer after ${RECOVERY_MS} ms`)
      await scheduler.run(() => false, RETRY_MS)
    }
  }

  /** Nodes that are asked to stop do, and say goodbye. */
  async #stopNodes(): Promise<void> {
    const { scheduler } = this.#world
    let left = this.#nodes.length
    for (const node of this.#nodes) this.#inTime(node.stop().then(() => void left--))
    const stopped = await scheduler.run(() => left === 0, STOP_MS)
    if (!stopped) throw new Violation(`${left} nodes have not stopped after ${STOP_MS} ms`)
    const gone = (): boolean => this.#coordinator?.mesh?.registry.list().length === 0
    if (!(await scheduler.run(gone, STOP_MS))) throw new Violation('nodes that have stopped are still members')
  }

  #ask(init: RequestInit): SimulatedRequest {
    const request = new SimulatedRequest(this.#world, this.#requests.length, init, events =>
      this.#init.plantedBug === undefined
        ? events
        : tokenTwiceAfterLinkFault(events, () => this.#faults?.linkFaults ?? 0)
    )
    this.#requests.push(request)
    if (this.#coordinator !== undefined) this.#inTime(request.run(this.#coordinator))
    const ms = longestMs(init)
    this.#machine.setTimeout(() => {
      if (request.outcome === undefined) this.#fail(new Violation(`${request.name} has not ended after ${ms} ms`))
    }, ms)
    return request
  }

  /** Something under way; what it throws ends the run at the next step. */
  #inTime(work: Promise<void> | undefined): void {
    work?.catch((error: unknown) => this.#fail(error instanceof Error ? error : new Violation(String(error))))
  }

  #fail(error: Error): void {
    this.#violation ??= error
  }

  /** What must hold after every step. @throws Error */
  check(): void {
    if (this.#over) return
    if (this.#violation !== undefined) throw this.#violation
    const mesh = this.#coordinator?.mesh
    if (mesh !== undefined) requireBounds(mesh)
  }

  /** What is held though no request is under way; undefined: nothing. */
  #left(): string | undefined {
    const { mesh, jobs } = this.#coordinator ?? {}
    if (mesh === undefined || jobs === undefined) return 'there is no coordinator'
    return whatIsLeft(mesh, jobs.runtime, this.#nodes)
  }

  get #vocabularySize(): number {
    return this.#world.model.manifest.config.vocabularySize
  }

  #report(): SimulationReport {
    const { trace, scheduler } = this.#world
    const count = (outcome: RequestOutcome): number =>
      this.#requests.filter(request => request.outcome === outcome).length
    return {
      seed: this.#init.seed,
      nodeCount: this.#nodeCount,
      requests: { answered: count('answered'), failed: count('failed'), abandoned: count('abandoned') },
      resumed: this.#requests.filter(({ outcome, crashes }) => outcome === 'answered' && crashes > 0).length,
      takenOver: this.#world.takenOver,
      reused: this.#world.prompts.reused,
      faults: this.#faultCount,
      elapsedMs: scheduler.elapsedMs,
      steps: scheduler.steps,
      digest: trace.digest(),
      violation: this.#violation,
      events: [...trace.last]
    }
  }
}
