// Keeps a machine busy, so that tests that lean on time show themselves.
import { spawn } from 'node:child_process'

/** What each of them runs: it computes, and ends once its standard input does, however the process at the other end of that ended. */
const BUSY = `
process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume()
const compute = () => {
  const until = performance.now() + 20
  while (performance.now() < until);
  setImmediate(compute)
}
compute()
`

/** As many as a load takes beside `jobs` test files, and two at the least. */
export function busyCount(load, jobs) {
  return Math.max(2, Math.round(load - jobs))
}

/**
 * Starts processes of normal priority that do nothing but compute. They end with this process: at its exit, by a signal
 * from the terminal, and when it is killed, for then their standard input ends.
 *
 * @returns {{ pids: number[], stop(): void }}
 */
export function startBusyProcesses(count) {
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, ['--eval', BUSY], { stdio: ['pipe', 'ignore', 'inherit'] })
  )
  for (const { stdin } of children) stdin.on('error', () => undefined)
  const stop = () => {
    for (const child of children) child.kill('SIGKILL')
  }
  process.once('exit', stop)
  return { pids: children.map(({ pid }) => pid), stop }
}
