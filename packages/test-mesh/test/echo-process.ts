import { randomBytes } from 'node:crypto'
import { createMeshHost, identityFromSeed } from '@resultity/mesh'

/** A host in a process of its own, to be killed. Prints its address, and takes streams of the protocol it is given. */
const host = await createMeshHost({
  privateKey: await identityFromSeed(randomBytes(32)),
  listen: ['/ip4/127.0.0.1/tcp/0'],
  agent: 'resultity-node/test'
})
await host.handle(process.argv[2] ?? '', () => undefined, { inboundStreamsMax: 100 })
process.stdout.write(`${JSON.stringify({ peerId: host.peerId, multiaddrs: host.multiaddrs() })}\n`)
