import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type ApiPlacement, type ChildDaemon, MeshApi, startChildDaemon } from '@resultity/cli'
import { type AbortOptions, MeshError, withDeadline } from '@resultity/interface'
import { lastingPort } from './lasting-port.ts'

const LOOPBACK = '/ip4/127.0.0.1/tcp/0'
const DEFAULT_NODES = 3
const POLL_MS = 50
/** Keeps a broken build from hanging. What is waited for takes seconds, and minutes on a busy machine. */
const READY_TIMEOUT_MS = 300_000
/** On a busy machine a process may not run for some seconds, and is alive all the same. */
const NODE_SILENCE_S = 60
const STARTS_MAX = 5

export interface SwarmInit extends AbortOptions {
  /** Node processes. Default 3. */
  readonly nodes?: number
  /** Stages of every model's default placement. Default: as many as nodes. */
  readonly stages?: number | 'auto'
  /** References of the models to serve. Default `tiny-chat`. */
  readonly models?: readonly string[]
  /** Memory that each node offers. */
  readonly memoryBytes?: number
  /** Threads of each node. Default 1: a test machine runs several swarms. */
  readonly threads?: number
  /** Nodes fetch weights from the coordinator instead of reading its directory. Default false. */
  readonly separateBlobs?: boolean
  /** Directory kept between swarms for the coordinator, so that a big model is converted once. */
  readonly coordinatorData?: string
  /**
   * Further arguments of the coordinator's command. A swarm is patient: a node that falls silent counts as lost after a
   * minute. A test of just that passes `--node-silence=3`. One that is killed is missed at once, for its connection ends.
   */
  readonly coordinatorArgs?: readonly string[]
  /** Further arguments of every node's command. */
  readonly nodeArgs?: readonly string[]
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>
}

/** One node process. */
export interface SwarmNode {
  readonly name: string
  readonly peerId: string
  readonly pid: number
  readonly dataDir: string
  /** Multiaddresses it listens on. */
  readonly multiaddrs: readonly string[]
  /** Sends a signal and resolves once the process is gone. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** The last lines of its log. */
  logs(): readonly string[]
}

export interface AddNodeOptions {
  /** Further arguments of its command, after those of the swarm. */
  readonly args?: readonly string[]
  /** Where it finds the coordinator, when not directly: through a shaper. */
  readonly join?: readonly string[]
}

/** The coordinator's process. */
export interface SwarmCoordinator {
  readonly peerId: string
  readonly pid: number
  readonly dataDir: string
  /** Multiaddresses it listens on. */
  readonly multiaddrs: readonly string[]
  /** Base URL of the HTTP API. */
  readonly url: string
}

/** A mesh of real processes on free ports, in a directory of its own, gone without a trace after {@link Swarm.stop}. */
export class Swarm implements AsyncDisposable {
  readonly directory: string
  readonly api: MeshApi
  readonly #init: SwarmInit
  readonly #coordinatorData: string
  readonly #nodes: SwarmNode[] = []
  readonly #nodeProcesses: ChildDaemon[] = []
  #coordinator: ChildDaemon
  #nodesStarted = 0

  private constructor(init: SwarmInit, directory: string, coordinatorData: string, coordinator: ChildDaemon) {
    this.#init = init
    this.directory = directory
    this.#coordinatorData = coordinatorData
    this.#coordinator = coordinator
    this.api = new MeshApi(this.url)
  }

  /** Starts the coordinator alone. */
  static async start(init: SwarmInit, directory: string): Promise<Swarm> {
    const data = init.coordinatorData ?? join(directory, 'coordinator')
    for (let start = 1; ; start++) {
      const ports = { http: await lastingPort(), mesh: await lastingPort() }
      try {
        return new Swarm(init, directory, data, await launchCoordinator(init, directory, data, ports))
      } catch (error) {
        // another swarm was given the same port before ours had begun to listen
        if (MeshError.from(error).code !== 'address_in_use' || start === STARTS_MAX) throw error
      }
    }
  }

  /** Base URL of the HTTP API. */
  get url(): string {
    return String(this.#coordinator.ready.http)
  }

  get coordinator(): SwarmCoordinator {
    const { pid, ready } = this.#coordinator
    const multiaddrs = addressesOf(this.#coordinator)
    return { peerId: ready.peerId, pid, dataDir: this.#coordinatorData, multiaddrs, url: this.url }
  }

  /**
   * Ends the coordinator by `signal` and starts it again on the same ports and data. Its nodes look for it by
   * themselves, see {@link untilNodes}.
   */
  async restartCoordinator(signal: NodeJS.Signals): Promise<void> {
    const { url, multiaddrs } = this.coordinator
    const mesh = /\/tcp\/(\d+)/.exec(multiaddrs[0] ?? '')?.[1]
    this.#coordinator.kill(signal)
    await this.#coordinator.ended
    const ports = { http: Number(new URL(url).port), mesh: Number(mesh ?? 0) }
    this.#coordinator = await launchCoordinator(this.#init, this.directory, this.#coordinatorData, ports)
  }

  /** Nodes in the order they were added, those that were killed among them. */
  get nodes(): readonly SwarmNode[] {
    return this.#nodes
  }

  /** Starts one more node. It has joined the coordinator when the coordinator lists it; see {@link untilNodes}. */
  async addNode(options: AddNodeOptions = {}): Promise<SwarmNode> {
    this.#nodesStarted += 1
    const name = `node-${this.#nodesStarted}`
    const dataDir = join(this.directory, name)
    const { memoryBytes, threads = 1, separateBlobs = false, nodeArgs = [] } = this.#init
    const child = await launch(this.#init, this.directory, name, [
      'node',
      '--no-mdns',
      '--no-spinning',
      // a swarm stops as a whole; a test of leaving nodes says otherwise
      '--drain-deadline=0',
      `--data=${dataDir}`,
      `--listen=${LOOPBACK}`,
      `--threads=${threads}`,
      ...(options.join ?? this.coordinator.multiaddrs).map(address => `--join=${address}`),
      ...(memoryBytes === undefined ? [] : [`--memory=${memoryBytes}`]),
      ...(separateBlobs ? [] : [`--blob-source=${join(this.coordinator.dataDir, 'blobs')}`]),
      ...nodeArgs,
      ...(options.args ?? [])
    ])
    this.#nodeProcesses.push(child)
    const node = describeNode(child, dataDir)
    this.#nodes.push(node)
    return node
  }

  /** Resolves once the coordinator lists exactly `count` nodes. @throws MeshError `deadline_exceeded` */
  async untilNodes(count: number, options: AbortOptions = {}): Promise<void> {
    await this.#until(`${count} nodes`, async signal => (await this.api.nodes({ signal })).length === count, options)
  }

  /**
   * Resolves once some placement of every model is as wanted, by default one that serves.
   *
   * @throws MeshError `deadline_exceeded`
   */
  async untilPlaced(
    wanted: (placement: ApiPlacement) => boolean = ({ state }) => state === 'ready',
    options: AbortOptions = {}
  ): Promise<void> {
    await this.#until(
      'a placement',
      async signal => {
        const models = (await this.api.models({ signal })).filter(
          ({ ensemble, kind }) => ensemble === undefined && kind !== 'upstream'
        )
        const placements = await this.api.placements({ signal })
        return models.every(({ id }) => placements.some(placement => placement.model === id && wanted(placement)))
      },
      options
    )
  }

  /** The last log lines of all processes, for a test that failed. */
  logs(): string {
    return [this.#coordinator, ...this.#nodeProcesses]
      .map(child => `--- ${child.name} (${child.pid})\n${child.logs().join('\n')}`)
      .join('\n')
  }

  /** Stops every process and removes the swarm's directory. */
  async stop(): Promise<void> {
    await Promise.all(this.#nodeProcesses.map(node => node.stop()))
    await this.#coordinator.stop()
    await rm(this.directory, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #until(what: string, holds: (signal: AbortSignal) => Promise<boolean>, options: AbortOptions): Promise<void> {
    await withDeadline(
      `waiting for ${what}`,
      READY_TIMEOUT_MS,
      async signal => {
        while (!(await holds(signal))) await setTimeout(POLL_MS, undefined, { signal })
      },
      options
    )
  }
}

/**
 * Starts a coordinator and nodes and waits until every model has a placement over as many stages as asked.
 *
 * The processes end with this one, even when it is killed.
 *
 * @throws MeshError of the process that did not come up; `deadline_exceeded`; nothing is left running then
 */
export async function startSwarm(init: SwarmInit = {}): Promise<Swarm> {
  const { nodes = DEFAULT_NODES } = init
  const stages = stagesOf(init)
  const directory = await mkdtemp(join(tmpdir(), 'resultity-swarm-'))
  let swarm: Swarm | undefined
  try {
    const started = await Swarm.start(init, directory)
    swarm = started
    await Promise.all(Array.from({ length: nodes }, () => started.addNode()))
    if (nodes > 0) {
      const models = await started.api.models(init.signal ? { signal: init.signal } : {})
      const kinds = new Map(models.map(({ id, kind }) => [id, kind]))
      // what generates text is cut, and what draws where it fits no node
      const wanted = (model: string): number | 'auto' => {
        const kind = kinds.get(model)
        return kind === 'decoder' ? stages : kind === 'diffusion' ? 'auto' : 1
      }
      await started.untilPlaced(
        ({ state, model, stages: { length } }) =>
          state === 'ready' && (wanted(model) === 'auto' || wanted(model) === length),
        init.signal ? { signal: init.signal } : {}
      )
    }
    return started
  } catch (error) {
    const logs = swarm?.logs()
    await swarm?.stop()
    await rm(directory, { recursive: true, force: true })
    const { code, message, hint } = MeshError.from(error)
    throw new MeshError(code, message, { cause: error, hint: [hint, logs].filter(Boolean).join('\n') })
  }
}

/** As many stages as nodes, unless said otherwise. */
function stagesOf({ nodes = DEFAULT_NODES, stages }: SwarmInit): number | 'auto' {
  return stages ?? (nodes > 0 ? nodes : 'auto')
}

async function launchCoordinator(
  init: SwarmInit,
  directory: string,
  data: string,
  ports: { readonly http: number; readonly mesh: number }
): Promise<ChildDaemon> {
  const { models = ['tiny-chat'], coordinatorArgs = [] } = init
  return launch(init, directory, 'coordinator', [
    'coordinator',
    '--no-mdns',
    `--http=127.0.0.1:${ports.http}`,
    `--listen=/ip4/127.0.0.1/tcp/${ports.mesh}`,
    `--data=${data}`,
    `--stages=${stagesOf(init)}`,
    `--node-silence=${NODE_SILENCE_S}`,
    ...models.map(model => `--model=${model}`),
    ...coordinatorArgs
  ])
}

async function launch(init: SwarmInit, directory: string, name: string, args: readonly string[]): Promise<ChildDaemon> {
  return startChildDaemon(
    { name, args, env: { ...process.env, ...init.env }, logPath: join(directory, 'logs', `${name}.log`) },
    init.signal ? { signal: init.signal } : {}
  )
}

function describeNode(child: ChildDaemon, dataDir: string): SwarmNode {
  return {
    name: child.name,
    peerId: child.ready.peerId,
    pid: child.pid,
    dataDir,
    multiaddrs: addressesOf(child),
    logs: () => child.logs(),
    async kill(signal) {
      child.kill(signal)
      await child.ended
    }
  }
}

function addressesOf({ name, ready }: ChildDaemon): string[] {
  const { multiaddrs } = ready
  if (Array.isArray(multiaddrs) && multiaddrs.every(address => typeof address === 'string')) return multiaddrs
  throw new MeshError('internal', `${name} does not say where it listens`)
}
