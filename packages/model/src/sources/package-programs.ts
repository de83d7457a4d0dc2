import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { MeshError } from '@resultity/interface'
import type { ProgressOptions } from './progress.ts'

/** A package of 100 MB over a slow line. */
export const DOWNLOAD_MS_MAX = 30 * 60 * 1000
const PROBE_MS_MAX = 20_000
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024

/** A command with its first arguments. */
export type Command = readonly string[]

const execute = promisify(execFile)

/** No file of a model and no package has such a name. */
const FETCHING = '.fetching-'

/**
 * A new folder below `directory` for what a program downloads. Those that processes left which were killed are removed: imports take
 * turns, so nobody uses them.
 */
export async function fetchingFolder(directory: string): Promise<string> {
  const left = (await readdir(directory)).filter(name => name.startsWith(FETCHING))
  for (const name of left) await rm(join(directory, name), { recursive: true, force: true })
  return await mkdtemp(join(directory, FETCHING))
}

export interface RunOptions extends ProgressOptions {
  readonly timeoutMs: number
  readonly cwd?: string
}

/** Runs a command to its end. @throws Error, with what it wrote to its error output in `stderr` */
export async function run(
  command: Command,
  more: readonly string[],
  { timeoutMs, cwd, signal }: RunOptions
): Promise<void> {
  const [program = '', ...prefix] = command
  await execute(program, [...prefix, ...more], {
    timeout: timeoutMs,
    maxBuffer: OUTPUT_BYTES_MAX,
    ...(cwd === undefined ? {} : { cwd }),
    ...(signal === undefined ? {} : { signal })
  })
}

/**
 * The first of `candidates` that runs here.
 *
 * @param name of the program, for the error
 * @throws MeshError `model_unavailable`
 */
export async function findCommand(
  name: string,
  hint: string,
  candidates: readonly Command[],
  options: ProgressOptions
): Promise<Command> {
  for (const command of candidates) {
    try {
      await run(command, ['--version'], { ...options, timeoutMs: PROBE_MS_MAX })
      return command
    } catch (error) {
      options.signal?.throwIfAborted()
      // not this one; an answer that is not to come is no reason to fail
      if (!(error instanceof Error)) throw error
    }
  }
  throw new MeshError('model_unavailable', `there is no ${name} on this machine`, { hint })
}

/** Lines that a command wrote to its error output. */
export function errorLines(error: unknown): string[] {
  const written = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
  return written.split('\n').filter(line => line.trim() !== '')
}
