import { identityFromSeed, type MeshHost, type PrivateKey } from '@resultity/mesh'
import { Advertiser, DEFAULT_NODE_LIMITS, NodeAgent, StageTable } from '@resultity/node'
import { createMemoryHost, MemoryEngine, type MemoryHost, type VirtualProcess } from '@resultity/test-mesh'
import type { World } from './world.ts'

/** For weights and caches of all layers, several times: what nodes take is the director's to decide. */
const MEMORY_BYTES = 2 ** 30

interface Running {
  readonly machine: VirtualProcess
  readonly host: MemoryHost
  readonly agent: NodeAgent
  readonly stages: StageTable
  readonly crashed: PromiseWithResolvers<void>
}

/** One node of a simulation: the real agent, which may crash and start again as the same peer. */
export class SimulatedNode {
  readonly name: string
  readonly peerId: string
  readonly #world: World
  readonly #address: string
  readonly #privateKey: PrivateKey
  #running: Running | undefined
  /** Starting and stopping take time, and one waits for the other. */
  #turn: Promise<void> = Promise.resolve()
  /** How many times slower than usual it computes. */
  slowness = 1

  private constructor(world: World, name: string, address: string, privateKey: PrivateKey, peerId: string) {
    this.#world = world
    this.name = name
    this.#address = address
    this.#privateKey = privateKey
    this.peerId = peerId
  }

  static async make(world: World, index: number): Promise<SimulatedNode> {
    const privateKey = await identityFromSeed(world.random.bytes(32))
    const address = `/ip4/10.77.1.${index + 1}/tcp/4701`
    return new SimulatedNode(world, `node ${index}`, address, privateKey, world.nameOf(privateKey, `node ${index}`))
  }

  /** Undefined while it is down. */
  get machine(): VirtualProcess | undefined {
    return this.#running?.machine
  }

  /** Sessions that hold a slot of its engine. */
  get sessionsOpen(): number {
    return this.#running?.stages.served().reduce((sum, { sessionsOpen }) => sum + sessionsOpen, 0) ?? 0
  }

  /** Sessions that wait in a slot of its engine for their next route. */
  get sessionsParked(): number {
    return this.#running?.stages.parked.size ?? 0
  }

  /** Memory that it holds for what sessions have sent. */
  get sentLogBytes(): number {
    return this.#running?.agent.sentLogBytes ?? 0
  }

  /** Starts, once it has stopped, unless it runs. */
  start(coordinator: string): Promise<void> {
    this.#turn = this.#turn.then(() => this.#start(coordinator))
    return this.#turn
  }

  async #start(coordinator: string): Promise<void> {
    if (this.#running !== undefined) return
    const { scheduler, network, model, trace, positionLayerMs } = this.#world
    const machine = scheduler.process()
    const logger = trace.logger(this.name)
    const engine = new MemoryEngine({ scheduler: machine, positionLayerMs: () => positionLayerMs() * this.slowness })
    const stages = new StageTable(
      { engine, scheduler: machine },
      { memoryBytes: MEMORY_BYTES, threads: 1, spinning: false, workDir: '', stagesMax: 64 }
    )
    const host = await createMemoryHost(network, {
      privateKey: this.#privateKey,
      listen: [this.#address],
      agent: 'resultity-node/simulated',
      scheduler: machine,
      logger
    })
    const agent = new NodeAgent(
      {
        host,
        stages,
        logger,
        scheduler: machine,
        store: model.blobs,
        advertiser: this.#advertiser(host, stages, machine)
      },
      DEFAULT_NODE_LIMITS
    )
    this.#running = { machine, host, agent, stages, crashed: Promise.withResolvers<void>() }
    this.#world.whenOver(() => {
      for (const closing of [agent.close(), stages.close(), host.close()]) closing.catch(() => undefined)
    })
    await agent.listen()
    agent.joinCoordinators([coordinator])
  }

  /** Ends as by a kill: its peers see their connections end. */
  crash(): void {
    if (this.#running === undefined) return
    this.#running.machine.end()
    this.#world.network.kill(this.#running.host)
    this.#running.crashed.resolve()
    this.#running = undefined
  }

  /** Ends as it does when it is asked to. @param drainMs time to hand over what it serves */
  stop(drainMs = 0): Promise<void> {
    this.#turn = this.#turn.then(() => this.#stop(drainMs))
    return this.#turn
  }

  async #stop(drainMs: number): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    const { agent, crashed } = running
    if (drainMs > 0) await Promise.race([agent.drain({ deadlineMs: drainMs }), crashed.promise])
    await Promise.race([agent.close(), crashed.promise])
    if (this.#running === running) this.crash()
  }

  #advertiser(host: MeshHost, stages: StageTable, machine: VirtualProcess): Advertiser {
    return new Advertiser(
      { privateKey: this.#privateKey, stages, clock: machine, multiaddrs: () => host.multiaddrs() },
      {
        peerId: host.peerId,
        agentVersion: 'simulated',
        hardware: {
          platform: 'linux',
          architecture: 'x64',
          cpuModel: 'simulated',
          cpuCores: 1,
          memoryBytes: MEMORY_BYTES,
          gpus: [],
          executionProviders: ['cpu']
        },
        memoryOfferedBytes: MEMORY_BYTES,
        probeMsPer100M: 1,
        threads: 1,
        labels: {},
        ttlMs: DEFAULT_NODE_LIMITS.advertTtlMs
      }
    )
  }
}
