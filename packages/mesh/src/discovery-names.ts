/** The identify agent string of every coordinator starts with this; that is how a node knows one. */
export const COORDINATOR_AGENT = 'resultity-coordinator'

/** Own name on the local network, so that other libp2p programs there are left alone. */
export const mdnsServiceTag = '_resultity-coordinator._udp.local'

export interface MdnsInit {
  /** Default {@link mdnsServiceTag}; another tag makes a separate mesh on the same network. */
  readonly serviceTag?: string
  /** How often to ask; default 10 s. */
  readonly intervalMs?: number
}
