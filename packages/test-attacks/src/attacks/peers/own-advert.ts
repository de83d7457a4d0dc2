import type { Advert } from '@resultity/interface'
import { sealAdvert } from '@resultity/mesh'
import type { Attacker } from './attacker.ts'
import { signedPayload } from './signed-payload.ts'

const MIB = 2 ** 20
const TTL_MS = 300_000
const DOMAIN = 'resultity-advert'

/** An advert of an attacker: by itself one that any node could have. */
export function advertOf({ peerId, host }: Attacker, overrides: Partial<Advert> = {}): Advert {
  const now = Date.now()
  return {
    version: 1,
    peerId,
    sequence: now,
    issuedAtMs: now,
    expiresAtMs: now + TTL_MS,
    agentVersion: '0.0.0',
    multiaddrs: host.multiaddrs(),
    hardware: {
      platform: 'linux',
      architecture: 'x64',
      cpuModel: 'none',
      cpuCores: 1,
      memoryBytes: 512 * MIB,
      gpus: [],
      executionProviders: ['cpu']
    },
    memoryOfferedBytes: 0,
    memoryFreeBytes: 0,
    probeMsPer100M: 1,
    threads: 1,
    labels: {},
    stages: [],
    ...overrides
  }
}

/** Signed by the attacker. */
export function sealed(attacker: Attacker, overrides: Partial<Advert> = {}): Promise<Uint8Array> {
  return sealAdvert(advertOf(attacker, overrides), attacker.privateKey)
}

/** Signed by the attacker, whatever it says. */
export async function sealedAnyway(attacker: Attacker, payload: string): Promise<Uint8Array> {
  return signedPayload(await sealed(attacker), Buffer.from(payload), DOMAIN, attacker.privateKey)
}
