import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

export const bin = fileURLToPath(new URL('../../bin/resultity.js', import.meta.url))

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `resultity` as a process of its own, without the variables of this one. */
export async function runCommand(args: readonly string[], { input = '', env = {} } = {}): Promise<Finished> {
  const child = spawn(process.execPath, [bin, ...args], { env: { HOME: '/nonexistent', ...env } })
  child.stdin.end(input)
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode, stdout, stderr }
}
