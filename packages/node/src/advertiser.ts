import type { Advert, Clock, OfferedModel } from '@resultity/interface'
import { type PrivateKey, sealAdvert } from '@resultity/mesh'
import type { Hardware } from './hardware.ts'
import type { StageTable } from './stage-table.ts'

export interface AdvertiserComponents {
  readonly privateKey: PrivateKey
  readonly stages: StageTable
  readonly clock: Clock
  /** Addresses to be dialled at; they can change while the node runs. */
  readonly multiaddrs: () => string[]
  /** Models of servers beside this node. Default: none. */
  readonly offered?: (() => readonly OfferedModel[]) | undefined
}

export interface AdvertiserInit {
  readonly peerId: string
  readonly agentVersion: string
  readonly hardware: Hardware
  readonly memoryOfferedBytes: number
  readonly probeMsPer100M: number
  readonly kernels?: string
  readonly threads: number
  readonly labels: Readonly<Record<string, string>>
  readonly ttlMs: number
}

/** Writes this node's adverts: signed, numbered upwards, expiring. */
export class Advertiser {
  readonly #components: AdvertiserComponents
  readonly #init: AdvertiserInit
  #sequence: number
  #draining = false

  constructor(components: AdvertiserComponents, init: AdvertiserInit) {
    this.#components = components
    this.#init = init
    // after a restart, numbers must continue above those of the earlier process
    this.#sequence = components.clock.now()
  }

  /** Every advert from now on says that this node is about to leave. */
  startDraining(): void {
    this.#draining = true
  }

  /** The content of the next advert without number and times: equal texts need no new advert. */
  fingerprint(): string {
    return JSON.stringify(this.#statement())
  }

  /** A new sealed advert. */
  seal(): Promise<Uint8Array> {
    const { clock, privateKey } = this.#components
    const issuedAtMs = clock.now()
    this.#sequence = Math.max(this.#sequence + 1, issuedAtMs)
    const advert: Advert = {
      version: 1,
      ...this.#statement(),
      sequence: this.#sequence,
      issuedAtMs,
      expiresAtMs: issuedAtMs + this.#init.ttlMs
    }
    return sealAdvert(advert, privateKey)
  }

  #statement() {
    const { stages, multiaddrs } = this.#components
    const offered = this.#draining ? [] : (this.#components.offered?.() ?? [])
    const { ttlMs: _, labels, ...fixed } = this.#init
    return {
      ...fixed,
      labels: { ...labels },
      multiaddrs: multiaddrs().slice(0, 16),
      memoryFreeBytes: stages.memoryFreeBytes,
      stages: stages.served(),
      ...(offered.length === 0 ? {} : { offered: [...offered] }),
      ...(this.#draining ? { draining: true } : {})
    }
  }
}
