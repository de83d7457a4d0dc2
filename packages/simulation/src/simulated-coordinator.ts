import { buildMesh, DEFAULT_LIMITS, type MeshParts } from '@resultity/coordinator'
import { identityFromSeed, type PrivateKey } from '@resultity/mesh'
import { MemoryDisk } from '@resultity/store'
import { createMemoryHost, type MemoryHost, type VirtualProcess } from '@resultity/test-mesh'
import { MEMBERSHIP_PROTOCOL } from '@resultity/wire'
import { PREFILL_CHUNK } from './asked-prompts.ts'
import { SimulatedJobs } from './simulated-jobs.ts'
import type { World } from './world.ts'

const ADDRESS = '/ip4/10.77.0.1/tcp/4701'

/** Shorter than the defaults, so that a run reaches all of them. */
export const LIMITS = {
  ...DEFAULT_LIMITS,
  fewerStagesAfterMs: 5000,
  placementWaitMs: 20_000,
  slotWaitMs: 10_000,
  sessionOpenMs: 5000,
  firstTokenMs: 10_000,
  nextTokenMs: 5000,
  sessionLeaseMs: 20_000
}

interface Running {
  readonly machine: VirtualProcess
  readonly host: MemoryHost
  readonly mesh: MeshParts
  readonly jobs: SimulatedJobs
}

/** A coordinator without HTTP, which may crash and start again as the same peer, with the same disk. */
export class SimulatedCoordinator {
  readonly peerId: string
  readonly #world: World
  readonly #privateKey: PrivateKey
  readonly #stages: 'auto' | number
  readonly #disk = new MemoryDisk()
  #running: Running | undefined

  private constructor(world: World, privateKey: PrivateKey, stages: 'auto' | number) {
    this.#world = world
    this.#privateKey = privateKey
    this.#stages = stages
    this.peerId = world.nameOf(privateKey, 'coordinator')
  }

  static async make(world: World, stages: 'auto' | number): Promise<SimulatedCoordinator> {
    return new SimulatedCoordinator(world, await identityFromSeed(world.random.bytes(32)), stages)
  }

  /** Where nodes join. */
  get address(): string {
    return ADDRESS
  }

  /** Undefined while it is down. */
  get jobs(): SimulatedJobs | undefined {
    return this.#running?.jobs
  }

  get mesh(): MeshParts | undefined {
    return this.#running?.mesh
  }

  get machine(): VirtualProcess | undefined {
    return this.#running?.machine
  }

  /** Resolves once it takes requests. Call it while it is down. */
  async start(): Promise<void> {
    const { scheduler, network, model, trace } = this.#world
    const machine = scheduler.process()
    const logger = trace.logger('coordinator')
    const host = await createMemoryHost(network, {
      privateKey: this.#privateKey,
      listen: [ADDRESS],
      agent: 'resultity-coordinator/simulated',
      dials: false,
      scheduler: machine,
      logger
    })
    const newId = (): string => Buffer.from(machine.randomBytes(8)).toString('hex')
    const components = { host, scheduler: machine, clock: machine, newId }
    const mesh = buildMesh(components, LIMITS, {
      openJoin: true,
      stages: this.#stages,
      prefillChunk: PREFILL_CHUNK,
      logger
    })
    this.#world.whenOver(() => {
      mesh.membership[Symbol.dispose]()
      mesh.leases[Symbol.dispose]()
      mesh.loop[Symbol.dispose]()
      void host.close()
    })
    mesh.models.add(model.served)
    mesh.director.addModel(model.served.placeable)
    mesh.loop.reconcile()
    await host.handle(MEMBERSHIP_PROTOCOL, (stream, peerId, from) => mesh.membership.accept(stream, peerId, from), {
      inboundStreamsMax: 2
    })
    const onResumed = (tokens: number): void => {
      if (tokens === 0) return
      this.#world.takenOver += tokens
      trace.add('coordinator', `goes on from ${tokens} tokens`)
    }
    const jobs = await SimulatedJobs.open({ mesh, model, machine, logger, disk: this.#disk, onResumed })
    this.#world.whenOver(() => void jobs.runtime[Symbol.asyncDispose]())
    this.#running = { machine, host, mesh, jobs }
  }

  /** Ends as by a kill. */
  crash(): void {
    if (this.#running === undefined) return
    this.#running.machine.end()
    this.#world.network.kill(this.#running.host)
    this.#running = undefined
  }
}
