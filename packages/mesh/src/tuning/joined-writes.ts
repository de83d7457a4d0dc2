// What: wraps a connection below its encryption.
// Measured: with rare grants, a run starts on both cores 0.3 ms earlier; docs/engine.md, "On the way of every token".
// Upstream: noise did so once, https://github.com/ChainSafe/js-libp2p-noise/pull/387; it stands for a transport that
// writes the pieces of a list at once.

import type { ConnectionProtector, MessageStream } from '@libp2p/interface'

/** Above this a copy costs more than the writes it saves. */
const JOIN_BYTES_MAX = 64 * 1024

/**
 * Hands the socket one piece where the encrypter made several. Otherwise length, header, payload and tag of a frame
 * would each be a write and a packet.
 *
 * It is installed where libp2p lets a connection be wrapped below its encryption. It protects nothing.
 */
export const joinedWrites: ConnectionProtector = { protect: async connection => joinWrites(connection) }

function joinWrites(connection: MessageStream): MessageStream {
  const send = connection.send.bind(connection)
  connection.send = data =>
    send(data instanceof Uint8Array || data.byteLength > JOIN_BYTES_MAX ? data : data.subarray())
  return connection
}
