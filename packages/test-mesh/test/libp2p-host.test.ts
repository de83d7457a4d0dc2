import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createMeshHost } from '@resultity/mesh'
import t from 'tap'
import { framesCompliance } from './frames-compliance.ts'
import { hostCompliance } from './host-compliance.ts'
import type { HostWorld } from './host-world.ts'

const libp2p: HostWorld = {
  createHost: createMeshHost,
  async startToBeKilled(t, protocol) {
    const program = fileURLToPath(new URL('echo-process.js', import.meta.url))
    const child = spawn(process.execPath, [program, protocol], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    const [line] = await once(child.stdout, 'data')
    return { address: JSON.parse(String(line)), kill: () => child.kill('SIGKILL') }
  }
}

hostCompliance(t, libp2p)
framesCompliance(t, libp2p)
