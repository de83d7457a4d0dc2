import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import type { Readable } from 'node:stream'
import { MeshError } from '@resultity/interface'
import type { ProcessEnd } from './ffmpeg-end.ts'

/** What is kept of its error output: the end. */
const SAID_BYTES_MAX = 4096

/** Answers come first: a coordinator has other work. */
const NICE = 10

/** A process whose output is read here. */
export interface FfmpegProcess extends ChildProcess {
  readonly stdout: Readable
  readonly stderr: Readable
}

/**
 * Starts ffmpeg without an environment. What goes wrong with a program that is not there comes as its event "error".
 *
 * @param cwd its working directory
 * @param stdin an open file, or a pipe
 * @throws MeshError `unavailable` where the system has no room for another process, or for its pipes
 */
export function startFfmpeg(
  program: string,
  args: readonly string[],
  { cwd, stdin }: { readonly cwd: string; readonly stdin: 'pipe' | number }
): FfmpegProcess {
  let child: ChildProcess
  try {
    child = spawn(program, args, { cwd, env: {}, stdio: [stdin, 'pipe', 'pipe'] })
  } catch (error) {
    throw notStarted(program, MeshError.from(error))
  }
  if (hasOutput(child)) return child
  // without file descriptors it has no pipes, and says so later, when nobody listens
  child.on('error', () => {})
  throw notStarted(program, new Error('this process has no file descriptors left'))
}

/** Node leaves the pipes of a process undefined, and not null, that it had no descriptors for. */
function hasOutput(child: ChildProcess): child is FfmpegProcess {
  return child.stdout != null && child.stderr != null
}

/** After "exit", its last output may still come: "close" is last, also of a process that did not start. */
export async function endOf(child: ChildProcess): Promise<ProcessEnd> {
  const { promise, resolve } = Promise.withResolvers<ProcessEnd>()
  child.once('close', (code, signal) => resolve({ code, signal }))
  return await promise
}

/** Keeps the end of what a process says. @returns what is kept by now */
export function errorsOf(stderr: Readable): () => string {
  let said: Buffer = Buffer.alloc(0)
  // what it said is told with its exit code, if at all
  stderr.on('error', () => undefined)
  stderr.on('data', (chunk: Buffer) => {
    said = Buffer.concat([said, chunk]).subarray(-SAID_BYTES_MAX)
  })
  return () => said.toString('latin1')
}

/** Others run first, and when memory is short it goes first. */
export function lower(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    setPriority(pid, NICE)
    if (process.platform === 'linux') writeFileSync(`/proc/${pid}/oom_score_adj`, '1000')
  } catch {
    // it has ended already, or may not be lowered: its limits hold all the same
  }
}

/** The error of a program that does not start. */
export function notStarted(program: string, error: Error): MeshError {
  return new MeshError('unavailable', `ffmpeg does not start: ${error.message}`, {
    hint: `Check that ${program} is an ffmpeg that this user may run.`,
    cause: error
  })
}
