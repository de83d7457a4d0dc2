import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Swarm, startSwarm } from '../swarm.ts'

export interface CoordinatorMeshInit {
  readonly models: readonly string[]
  /** Of each coordinator. */
  readonly nodes: number
  readonly stages: number
  /** A database that two coordinators share. Undefined: one coordinator, on SQLite. */
  readonly postgresUrl?: string | undefined
  /** Kept between swarms, so that a big model is converted once. */
  readonly coordinatorData?: string
}

/**
 * A mesh whose coordinator is killed. On SQLite the same one is started again. On PostgreSQL there is another one with nodes of its
 * own, which goes on with what the first had taken.
 */
export class CoordinatorMesh implements AsyncDisposable {
  readonly swarm: Swarm
  readonly #other: Swarm | undefined
  readonly #nodes: number
  readonly #directory: string
  #isDown = false

  private constructor(swarms: readonly [Swarm, Swarm?], nodes: number, directory: string) {
    ;[this.swarm, this.#other] = swarms
    this.#nodes = nodes
    this.#directory = directory
  }

  /** Resolves once every model serves. */
  static async start({ postgresUrl, coordinatorData, ...init }: CoordinatorMeshInit): Promise<CoordinatorMesh> {
    const directory = await mkdtemp(join(tmpdir(), 'resultity-chaos-'))
    const data = (name: string) => (coordinatorData === undefined ? {} : { coordinatorData: coordinatorData + name })
    if (postgresUrl === undefined) {
      return new CoordinatorMesh([await startSwarm({ ...init, ...data('') })], init.nodes, directory)
    }
    const coordinatorArgs = [`--store=${postgresUrl}`, `--content=${join(directory, 'content')}`]
    const first = await startSwarm({ ...init, ...data('-1'), coordinatorArgs })
    try {
      const second = await startSwarm({ ...init, ...data('-2'), coordinatorArgs })
      return new CoordinatorMesh([first, second], init.nodes, directory)
    } catch (error) {
      await first.stop()
      throw error
    }
  }

  /** Base URL of the coordinator that clients ask. */
  get url(): string {
    return this.#isDown && this.#other !== undefined ? this.#other.url : this.swarm.url
  }

  /** Kills the coordinator. Resolves when the one that goes on answers; a client need not wait for that. */
  async strike(): Promise<void> {
    if (this.#other === undefined) return await this.swarm.restartCoordinator('SIGKILL')
    this.#isDown = true
    process.kill(this.swarm.coordinator.pid, 'SIGKILL')
  }

  /** Resolves when all is as it was before it was struck. */
  async restore(): Promise<void> {
    if (this.#isDown) await this.swarm.restartCoordinator('SIGKILL')
    this.#isDown = false
    await this.swarm.untilNodes(this.#nodes)
    await this.swarm.untilPlaced()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.swarm.stop()
    await this.#other?.stop()
    await rm(this.#directory, { recursive: true, force: true })
  }
}
