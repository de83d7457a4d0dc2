import { randomBytes } from 'node:crypto'
import { identityFromSeed } from '@resultity/mesh'
import t from 'tap'
import { createMemoryHost, SimulatedNetwork } from '../src/index.ts'
import { framesCompliance } from './frames-compliance.ts'
import { hostCompliance } from './host-compliance.ts'
import { addressOf, type HostWorld } from './host-world.ts'

const network = new SimulatedNetwork()

const memory: HostWorld = {
  createHost: init => createMemoryHost(network, init),
  async startToBeKilled(_t, protocol) {
    const host = await createMemoryHost(network, {
      privateKey: await identityFromSeed(randomBytes(32)),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      agent: 'resultity-node/test'
    })
    await host.handle(protocol, () => undefined, { inboundStreamsMax: 100 })
    return { address: addressOf(host), kill: () => network.kill(host) }
  }
}

hostCompliance(t, memory)
framesCompliance(t, memory)
