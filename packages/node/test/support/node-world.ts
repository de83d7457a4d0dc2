import {
  createMemoryHost,
  identityFromSeed,
  MemoryEngine,
  type MemoryHost,
  SimulatedNetwork,
  type VirtualProcess,
  VirtualScheduler
} from '@resultity/test-mesh'
import { pino } from 'pino'
import { Advertiser } from '../../src/advertiser.ts'
import { NodeAgent } from '../../src/node-agent.ts'
import { DEFAULT_NODE_LIMITS, type NodeLimits } from '../../src/node-init.ts'
import { StageTable } from '../../src/stage-table.ts'
import { type HeldModel, heldModel } from './held-manifest.ts'
import { ScriptedCoordinator } from './scripted-coordinator.ts'

export const LAYERS = 2
export const MIB = 2 ** 20

const STAGES_MAX = 3
/** What a test waits for takes less, in virtual time. */
const WAIT_MS = 60_000

export interface NodeWorldInit {
  /** Coordinators that the node is told of; each is there once {@link NodeWorld.coordinator} was called. Default: 2. */
  readonly join?: readonly number[]
  /** Default 64 MiB. */
  readonly memoryBytes?: number
  readonly limits?: Partial<NodeLimits>
  /** Of each position on each layer. Default: 1. */
  readonly positionLayerMs?: number
}

interface Parts {
  readonly scheduler: VirtualScheduler
  readonly network: SimulatedNetwork
  readonly machine: VirtualProcess
  readonly model: HeldModel
  readonly host: MemoryHost
  readonly agent: NodeAgent
  readonly stages: StageTable
  readonly advertiser: Advertiser
  readonly warnings: string[]
}

/** One node agent, and coordinators that follow a script, on a network in memory and in virtual time. */
export class NodeWorld {
  readonly #parts: Parts

  private constructor(parts: Parts) {
    this.#parts = parts
  }

  /** A node that looks for its coordinators already. */
  static async open(init: NodeWorldInit = {}): Promise<NodeWorld> {
    const { join = [2], memoryBytes = 64 * MIB, positionLayerMs = 1 } = init
    const scheduler = new VirtualScheduler({ seed: 1 })
    const network = new SimulatedNetwork({ latencyMs: () => 5, deadAfterMs: 49_000 })
    const model = heldModel(LAYERS)
    const machine = scheduler.process()
    const warnings: string[] = []
    const logger = pino({ level: 'warn' }, { write: line => void warnings.push(String(JSON.parse(line).msg)) })
    const privateKey = await identityFromSeed(new Uint8Array(32).fill(1))
    const listen = [ScriptedCoordinator.addressOf(1)]
    const host = await createMemoryHost(network, {
      privateKey,
      listen,
      agent: 'resultity-node/test',
      scheduler: machine
    })
    const engine = new MemoryEngine({ scheduler: machine, positionLayerMs: () => positionLayerMs })
    const stages = new StageTable(
      { engine, scheduler: machine },
      { memoryBytes, threads: 1, spinning: false, workDir: '', stagesMax: STAGES_MAX }
    )
    const limits = { ...DEFAULT_NODE_LIMITS, ...init.limits }
    const advertiser = new Advertiser(
      { privateKey, stages, clock: machine, multiaddrs: () => host.multiaddrs() },
      {
        peerId: host.peerId,
        agentVersion: '0.0.0',
        hardware: {
          platform: 'linux',
          architecture: 'x64',
          cpuModel: 'test',
          cpuCores: 1,
          memoryBytes: 2 ** 34,
          gpus: [],
          executionProviders: ['cpu']
        },
        memoryOfferedBytes: memoryBytes,
        probeMsPer100M: 1,
        threads: 1,
        labels: { zone: 'attic' },
        ttlMs: limits.advertTtlMs
      }
    )
    const components = { host, store: model.store, stages, advertiser, logger, scheduler: machine }
    const agent = new NodeAgent(components, limits)
    await agent.listen()
    agent.joinCoordinators(join.map(number => ScriptedCoordinator.addressOf(number)))
    return new NodeWorld({ scheduler, network, machine, model, host, agent, stages, advertiser, warnings })
  }

  get agent(): NodeAgent {
    return this.#parts.agent
  }

  get peerId(): string {
    return this.#parts.host.peerId
  }

  get advertiser(): Advertiser {
    return this.#parts.advertiser
  }

  get stages(): StageTable {
    return this.#parts.stages
  }

  get network(): SimulatedNetwork {
    return this.#parts.network
  }

  get model(): HeldModel {
    return this.#parts.model
  }

  /** The node's share of time: its wall clock may jump. */
  get machine(): VirtualProcess {
    return this.#parts.machine
  }

  /** Messages of warnings and errors that the agent logged. */
  get warnings(): readonly string[] {
    return this.#parts.warnings
  }

  /** Timers of the node and its coordinators that have run so far. */
  get steps(): number {
    return this.#parts.scheduler.steps
  }

  /** Starts a coordinator at the address of this number. */
  coordinator(number = 2): Promise<ScriptedCoordinator> {
    const { network, scheduler, model } = this.#parts
    return ScriptedCoordinator.start(network, scheduler.process(), { number, model })
  }

  /** A coordinator that the node has joined. */
  async joined(number = 2): Promise<ScriptedCoordinator> {
    const coordinator = await this.coordinator(number)
    await this.until('the node has joined', () => coordinator.joined, 60 * WAIT_MS)
    return coordinator
  }

  /** A peer that the node has nothing to do with. */
  stranger(number = 9): Promise<ScriptedCoordinator> {
    return this.coordinator(number)
  }

  /** Lets time pass until something holds. @throws Error when it does not within a minute, or `ms` */
  async until(what: string, holds: () => boolean, ms = WAIT_MS): Promise<void> {
    if (!(await this.#parts.scheduler.run(holds, ms))) throw new Error(`in ${ms} ms it did not come to be that ${what}`)
  }

  /** Lets `ms` pass. */
  async pass(ms: number): Promise<void> {
    await this.#parts.scheduler.run(() => false, ms)
  }

  /** What a promise comes to, while time passes. @throws its rejection */
  async of<T>(promise: Promise<T>, ms = WAIT_MS): Promise<T> {
    let done = false
    const settled = promise.finally(() => {
      done = true
    })
    settled.catch(() => undefined)
    await this.until('a promise is settled', () => done, ms)
    return await promise
  }
}
