import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { identityFromSeed, type MeshHost, type MeshHostInit, type MeshLimits } from '@resultity/mesh'

/** All peers of a test share one address, and none of them is ever slow to answer. */
export const TEST_LIMITS: Partial<MeshLimits> = {
  pendingInboundMax: 1000,
  inboundPerSecondMax: 10_000,
  pingTimeoutMs: 0,
  redialMinMs: 10,
  redialMaxMs: 100
}

/** What a test has to clean up: a tap test. */
export interface Scope {
  teardown(undo: () => unknown): void
}

/** A kind of host, and the network that hosts of it share. */
export interface HostWorld {
  createHost(init: MeshHostInit): Promise<MeshHost>
  /** A host that takes streams of `protocol`, in a process that can be killed. */
  startToBeKilled(t: Scope, protocol: string): Promise<{ readonly address: Address; kill(): void }>
}

export interface Address {
  readonly peerId: string
  readonly multiaddrs: string[]
}

export type StartHost = (t: Scope, init?: Partial<MeshHostInit>) => Promise<MeshHost>

/** Starts hosts on a free port of the loopback, closed with the test. */
export function starterOf(world: HostWorld): StartHost {
  return async (t, init = {}) => {
    const host = await world.createHost({
      privateKey: await identityFromSeed(randomBytes(32)),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      agent: 'resultity-node/test',
      ...init,
      limits: { ...TEST_LIMITS, ...init.limits }
    })
    t.teardown(() => host.close())
    return host
  }
}

export function addressOf(host: MeshHost): Address {
  return { peerId: host.peerId, multiaddrs: host.multiaddrs() }
}

/** Lets everything run that is ready to. */
export function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** Gives I/O turns until `condition` holds; the test's own deadline is the limit. It takes no core from what is waited for. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn < 10) await settled()
    else await setTimeout(1)
  }
}
