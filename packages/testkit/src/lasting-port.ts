import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { MeshError } from '@resultity/interface'

/**
 * Below what systems give to connections that go out: 32768 and up on Linux, 49152 and up elsewhere. A port from there may
 * belong to anybody's connection by the time its server is started again.
 */
const PORTS = { min: 12_000, end: 32_000 }
const TRIES_MAX = 64

/**
 * A port of the loopback that is free, and stays so for a server that ends and starts again.
 *
 * @throws MeshError `resource_exhausted` when none of many was free
 */
export async function lastingPort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = randomInt(PORTS.min, PORTS.end)
    if (await isFree(port)) return port
  }
  throw new MeshError('resource_exhausted', `none of ${TRIES_MAX} ports of 127.0.0.1 is free`, {
    hint: `end what listens on ports from ${PORTS.min} to ${PORTS.end}`
  })
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    // somebody else listens there, or may
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
