import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { createMeshHost, type MeshHost, type MeshHostInit, type MeshLimits } from '../src/index.ts'

/** All peers of a test share one address, and none of them is ever slow to answer. */
export const TEST_LIMITS: Partial<MeshLimits> = {
  pendingInboundMax: 1000,
  inboundPerSecondMax: 10_000,
  pingTimeoutMs: 0,
  redialMinMs: 10,
  redialMaxMs: 100
}

/** What a test has to clean up: a tap test. */
interface Scope {
  teardown(undo: () => unknown): void
}

/** A host on a free port of the loopback, closed with the test. */
export async function startHost(t: Scope, init: Partial<MeshHostInit> = {}): Promise<MeshHost> {
  const host = await createMeshHost({
    privateKey: await generateKeyPair('Ed25519'),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    agent: 'resultity-node/test',
    ...init,
    limits: { ...TEST_LIMITS, ...init.limits }
  })
  t.teardown(() => host.close())
  return host
}

export function addressOf(host: MeshHost): { peerId: string; multiaddrs: string[] } {
  return { peerId: host.peerId, multiaddrs: host.multiaddrs() }
}

export async function temporaryDir(t: Scope): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'mesh-test-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  return dir
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
