import { MeshError, withDeadline } from '@resultity/interface'
import type { Logger } from 'pino'
import type { CommandRun } from '../command.ts'
import { EXIT_FAILED, EXIT_OK } from '../context.ts'
import { lockDirectory } from './directory-lock.ts'
import { createLogger } from './logger.ts'
import { keepPrivate } from './private-files.ts'
import { StopSignal } from './stop-signal.ts'

/** Longest that a daemon may take to say goodbye to its peers and finish its answers. */
const CLOSE_TIMEOUT_MS = 8000

export interface StartedDaemon {
  /** The facts of the ready line. */
  readonly ready: Readonly<Record<string, unknown>>
  /** The same, for people. */
  readonly summary: readonly string[]
  close(): Promise<void>
}

/**
 * The life of a daemon: lock its directory, start, say that it is ready, wait to be asked to stop, close.
 *
 * A signal during the start ends the process without waiting for the start: nothing was promised to anybody yet.
 */
export async function runDaemon(
  { settings, json, context }: CommandRun,
  start: (logger: Logger, signal: AbortSignal) => Promise<StartedDaemon>
): Promise<number> {
  using stop = new StopSignal()
  await using _lock = await lockDirectory(settings.data)
  const logger = createLogger(settings.logLevel, context.stderr)
  await keepPrivate(settings.data, logger)
  const daemon = await Promise.race([start(logger, stop.signal), stop.wait()])
  if (daemon === undefined) return EXIT_OK
  const lines = json ? [JSON.stringify({ ready: true, pid: process.pid, ...daemon.ready })] : daemon.summary
  context.stdout.write(`${lines.join('\n')}\n`)
  await stop.wait()
  logger.info('stopping')
  try {
    await withDeadline('closing', CLOSE_TIMEOUT_MS, () => daemon.close())
    return EXIT_OK
  } catch (error) {
    logger.error({ err: MeshError.from(error) }, 'stopped without a clean end')
    return EXIT_FAILED
  }
}
