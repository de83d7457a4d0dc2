import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type AbortOptions, MeshError, safeParse } from '@resultity/interface'
import { z } from 'zod'
import { type ChildMessage, childMessageSchema } from './parent-channel.ts'

/** Time from SIGTERM to SIGKILL; a little more than a daemon gives itself. */
const STOP_TIMEOUT_MS = 10_000
/** Log lines kept in memory, to say why a daemon ended. */
const LOG_LINES_MAX = 200
/** A log file stops growing here; a daemon's usual day is some kilobytes. */
const LOG_FILE_BYTES_MAX = 64 * 1024 * 1024

const readySchema = z.looseObject({ ready: z.literal(true), pid: z.int(), peerId: z.string() })
export type ReadyLine = z.infer<typeof readySchema>

export interface ChildDaemonInit {
  /** Name for messages: "node-1". */
  readonly name: string
  /** Arguments of the `resultity` command; `--json` is added. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** File for its log, emptied at the start. */
  readonly logPath: string
  readonly onMessage?: (message: ChildMessage) => void
}

export interface ChildEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A `resultity` daemon in a process of its own that ends when this process does. */
export interface ChildDaemon extends AsyncDisposable {
  readonly name: string
  readonly pid: number
  readonly ready: ReadyLine
  readonly ended: Promise<ChildEnd>
  kill(signal: NodeJS.Signals): void
  /** The last lines of its log. */
  logs(): readonly string[]
  /** Asks it to stop and, when it does not, ends it. Resolves once the process is gone. */
  stop(): Promise<ChildEnd>
}

const bin = fileURLToPath(import.meta.resolve('@resultity/cli/bin/resultity.js'))

/**
 * Starts a daemon and resolves once it has said that it is ready.
 *
 * The child leads a process group of its own, so a Ctrl-C at the terminal reaches only its parent, which then stops its
 * children in order. The IPC channel ends with the parent, whatever ended that, and the child with the channel.
 *
 * @throws MeshError the child's own error when it gave one, else `unavailable`
 */
export async function startChildDaemon(init: ChildDaemonInit, { signal }: AbortOptions = {}): Promise<ChildDaemon> {
  signal?.throwIfAborted()
  await mkdir(dirname(init.logPath), { recursive: true })
  const child = spawn(process.execPath, [bin, ...init.args, '--json'], {
    detached: true,
    env: init.env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc']
  })
  const ended = endOf(child)
  const log = keepLog(child, init.logPath)
  let failure: MeshError | undefined
  child.on('message', raw => {
    const message = safeParse(childMessageSchema, raw)
    if (!message.success) return
    if (message.data.type === 'error') failure = toMeshError(message.data)
    init.onMessage?.(message.data)
  })
  const stop = stopper(child, ended)
  const end = ended.then(({ code, signal: by }) => {
    const reason = by === null ? `exit code ${code}` : by
    throw (
      failure ??
      new MeshError('unavailable', `${init.name} ended (${reason}) before it was ready`, logHint(init.logPath, log))
    )
  })
  try {
    const ready = await Promise.race([readReady(child), end, aborted(signal)])
    return {
      name: init.name,
      pid: ready.pid,
      ready,
      ended,
      logs: () => log,
      kill: name => void child.kill(name),
      stop,
      [Symbol.asyncDispose]: async () => void (await stop())
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function toMeshError({ code, message, hint }: ChildMessage & { type: 'error' }): MeshError {
  return new MeshError(code, message, { hint })
}

function logHint(path: string, log: readonly string[]): { hint: string } {
  return { hint: [`Its log is ${path}; it ends:`, ...log.slice(-5)].join('\n  ') }
}

function stopper(child: ChildProcess, ended: Promise<ChildEnd>): () => Promise<ChildEnd> {
  return async () => {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    try {
      return await ended
    } finally {
      clearTimeout(timer)
    }
  }
}

async function endOf(child: ChildProcess): Promise<ChildEnd> {
  const { promise, resolve } = Promise.withResolvers<ChildEnd>()
  // after "exit", its last output and messages may still arrive: "close" comes last
  child.once('close', (code, signal) => resolve({ code, signal }))
  child.once('error', () => resolve({ code: null, signal: null }))
  return promise
}

async function readReady(child: ChildProcess): Promise<ReadyLine> {
  if (child.stdout === null) throw new MeshError('internal', 'a daemon was started without a pipe for its output')
  const lines = createInterface({ input: child.stdout })
  for (;;) {
    const [line] = await once(lines, 'line')
    const ready = safeParse(readySchema, parseJson(String(line)))
    if (ready.success) return ready.data
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    // something a library printed; only the ready line matters
    return undefined
  }
}

async function aborted(signal: AbortSignal | undefined): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  return promise
}

/** Writes the child's log to its file and keeps the last lines. */
function keepLog(child: ChildProcess, path: string): readonly string[] {
  const kept: string[] = []
  if (child.stderr === null) return kept
  const file = createWriteStream(path)
  // a full disk must not end the mesh; the lines in memory remain
  file.on('error', () => file.destroy())
  createInterface({ input: child.stderr })
    .on('line', line => {
      kept.push(line)
      if (kept.length > LOG_LINES_MAX) kept.shift()
      if (!file.destroyed && file.bytesWritten < LOG_FILE_BYTES_MAX) file.write(`${line}\n`)
    })
    .on('close', () => file.end())
  return kept
}
