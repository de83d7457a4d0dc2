import { lastingPort } from './lasting-port.ts'
import { type Shaper, startShaper } from './shaper.ts'
import type { Swarm, SwarmNode } from './swarm.ts'

/** A node whose peers dial it through a shaper. It dials the coordinator itself, which is not behind it. */
export interface ShapedNode {
  readonly node: SwarmNode
  readonly shaper: Shaper
}

/** Starts one more node of a swarm behind a shaper. Dispose of the shaper after the swarm has stopped. */
export async function addShapedNode(swarm: Swarm): Promise<ShapedNode> {
  const target = { host: '127.0.0.1', port: await lastingPort() }
  const shaper = await startShaper({ target })
  const args = [`--listen=/ip4/127.0.0.1/tcp/${target.port}`, `--announce=/ip4/127.0.0.1/tcp/${shaper.address.port}`]
  return { node: await swarm.addNode({ args }), shaper }
}
