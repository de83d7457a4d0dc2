import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { main } from '../src/index.ts'

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

/** Runs it inside this process: for commands that start no daemon. */
export async function runHere(args: readonly string[], { input = '', env = {} } = {}): Promise<Finished> {
  const stdin = new PassThrough() as PassThrough & NodeJS.ReadStream
  stdin.end(input)
  const stdout = new PassThrough() as PassThrough & NodeJS.WriteStream
  const stderr = new PassThrough() as PassThrough & NodeJS.WriteStream
  const shown = [text(stdout), text(stderr)] as const
  const code = await main({ args, env, home: '/nonexistent', stdin, stdout, stderr })
  stdout.end()
  stderr.end()
  return { code, stdout: await shown[0], stderr: await shown[1] }
}
