import { dialableAddresses, type MeshHost, type PeerAddress, peerScopeOf } from '@resultity/mesh'

/**
 * Where to dial a peer that the coordinator `toldBy` names. Only the addresses that may be dialled on its word are
 * used: loopback only when the coordinator runs on this machine. No address where the peer is already connected.
 */
export async function reachablePeer(
  host: Pick<MeshHost, 'remoteAddrOf'>,
  { peerId, multiaddrs = [] }: PeerAddress,
  toldBy: string
): Promise<PeerAddress> {
  if (host.remoteAddrOf(peerId) !== undefined) return { peerId, multiaddrs: [] }
  const coordinator = host.remoteAddrOf(toldBy)
  const scope = coordinator === undefined ? 'public' : peerScopeOf(coordinator)
  return { peerId, multiaddrs: await dialableAddresses(multiaddrs, scope) }
}
