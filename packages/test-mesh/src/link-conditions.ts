export interface LinkConditions {
  /** One way, in milliseconds; asked for each piece that is sent, so that it may differ from one to the next. */
  latencyMs(from: string, to: string): number
  /** Bytes that a link takes in a millisecond. Default: any number. */
  readonly bytesPerMs?: number
  /** A connection over which nothing comes for so long is given up, as libp2p's pings would. */
  readonly deadAfterMs: number
}

/** As on one machine. */
export const LOCAL_LINKS: LinkConditions = { latencyMs: () => 0, deadAfterMs: 49_000 }

/**
 * - `cut`     no connection, and none can be made: as by a router that says so
 * - `stalled` what is sent stays under way: as by a router that does not
 */
export type LinkFault = 'cut' | 'stalled'

/** How links between peers are, now. */
export interface Links {
  readonly conditions: LinkConditions
  fault(from: string, to: string): LinkFault | undefined
}
