import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { z } from 'zod'
import { type ChildDaemon, startChildDaemon } from '../daemon/child-daemon.ts'
import type { ChildMessage } from '../daemon/parent-channel.ts'
import { BLOB_DIRECTORY } from '../models/blob-directory.ts'
import type { ResolvedSettings } from '../settings/resolve.ts'
import { coordinatorArguments, nodeArguments } from './arguments.ts'

const coordinatorReadySchema = z.looseObject({ http: z.url(), multiaddrs: z.array(z.string()).min(1) })

export interface LocalMeshInit {
  readonly settings: ResolvedSettings
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  readonly onMessage: (message: ChildMessage) => void
  readonly onStep: (text: string) => void
  /** A process of the mesh ended by itself; the others stay up. */
  readonly onLost: (child: ChildDaemon, reason: string) => void
}

/** A coordinator and its nodes as processes of this machine, stopped together. */
export class LocalMesh implements AsyncDisposable {
  readonly coordinator: ChildDaemon
  readonly nodes: readonly ChildDaemon[]
  /** Base URL of the HTTP API. */
  readonly http: string
  #stopping = false
  #nodesUp: number

  private constructor(
    coordinator: ChildDaemon,
    nodes: readonly ChildDaemon[],
    http: string,
    onLost: LocalMeshInit['onLost']
  ) {
    this.coordinator = coordinator
    this.nodes = nodes
    this.http = http
    this.#nodesUp = nodes.length
    for (const child of [coordinator, ...nodes]) void this.#watch(child, onLost)
  }

  /**
   * Starts the coordinator, which gets the models first, and then the nodes, which join it.
   *
   * @throws MeshError of the process that did not come up; the others are stopped then
   */
  static async start(init: LocalMeshInit): Promise<LocalMesh> {
    const { settings, signal } = init
    const env = withoutSettings(init.env)
    const launch = (name: string, args: string[]) =>
      startChildDaemon(
        { name, args, env, logPath: join(settings.data, 'logs', `${name}.log`), onMessage: init.onMessage },
        { signal }
      )

    init.onStep('starting the coordinator')
    const directory = join(settings.data, 'coordinator')
    const coordinator = await launch('coordinator', coordinatorArguments(settings, directory))
    try {
      const { http, multiaddrs } = coordinatorReadySchema.parse(coordinator.ready)
      init.onStep(`starting ${settings.nodes} nodes`)
      const names = Array.from({ length: settings.nodes }, (_, index) => `node-${index + 1}`)
      const shared = { join: multiaddrs, blobSource: join(directory, BLOB_DIRECTORY) }
      const nodes = await allOrNone(
        names.map(name => launch(name, nodeArguments(settings, { ...shared, data: join(settings.data, name) })))
      )
      return new LocalMesh(coordinator, nodes, http, init.onLost)
    } catch (error) {
      await coordinator.stop()
      throw error
    }
  }

  /** Nodes that have not ended. */
  get nodesUp(): number {
    return this.#nodesUp
  }

  /** Nodes first, so that the coordinator sees them leave and not die. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true
    await Promise.all(this.nodes.map(node => node.stop()))
    await this.coordinator.stop()
  }

  async #watch(child: ChildDaemon, onLost: LocalMeshInit['onLost']): Promise<void> {
    const { code, signal } = await child.ended
    if (child !== this.coordinator) this.#nodesUp -= 1
    if (!this.#stopping) onLost(child, signal === null ? `exit code ${code}` : explainSignal(signal))
  }
}

function explainSignal(signal: NodeJS.Signals): string {
  if (signal !== 'SIGBUS') return signal
  return 'SIGBUS: a file that it has mapped, such as its weights, was cut short or cannot be read; its next start checks them'
}

/** Flags say everything that the children need; a variable meant for `up` must not reach them as well. */
function withoutSettings(env: LocalMeshInit['env']): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('RESULTITY_')))
}

/** Waits for all; when one fails, stops those that came up. */
async function allOrNone(starting: Promise<ChildDaemon>[]): Promise<ChildDaemon[]> {
  const settled = await Promise.allSettled(starting)
  const started = settled.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = settled.find(result => result.status === 'rejected')
  if (failed === undefined) return started
  await Promise.all(started.map(child => child.stop()))
  throw MeshError.from(failed.reason, 'unavailable')
}
