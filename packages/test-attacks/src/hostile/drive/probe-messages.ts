/** Whom the probing thread probes. */
export interface ProbeTargets {
  readonly healthUrl: string
  readonly nodes: readonly { readonly name: string; readonly peerId: string; readonly multiaddrs: readonly string[] }[]
  /** Directory for the identity by which it pings. */
  readonly directory: string
  readonly intervalMs: number
  /** A probe that takes longer is told of at once. */
  readonly slowMs: number
}

/** What it found: of each target every probe, in milliseconds; and how late its own timers were. */
export interface ProbeResults {
  readonly type: 'results'
  readonly samples: Readonly<Record<string, readonly number[]>>
  readonly failures: readonly string[]
}

export interface SlowProbe {
  readonly type: 'slow'
  readonly target: string
  readonly ms: number
}

/** Everybody has been reached once; what follows counts. */
export interface ProbeReady {
  readonly type: 'ready'
}

export type ProbeMessage = ProbeResults | SlowProbe | ProbeReady

/** Targets that are no node. */
export const COORDINATOR = 'coordinator'
export const OWN_TIMERS = 'the probe’s own timers'
