import { MeshError, withDeadline } from '@resultity/interface'
import type { Logger } from 'pino'
import type { CommandRun } from '../command.ts'
import { EXIT_FAILED, EXIT_OK } from '../context.ts'
import { joined, text } from '../output/text.ts'
import { type DaemonRole, lockDirectory } from './directory-lock.ts'
import { LastResort } from './last-resort.ts'
import { createLogger } from './logger.ts'
import { openFilesLimit, requireOpenFiles } from './open-files.ts'
import { keepPrivate } from './private-files.ts'
import { StopSignal } from './stop-signal.ts'

/** Longest that a daemon may take to say goodbye to its peers and finish its answers, once it has handed over what it could. */
const CLOSE_TIMEOUT_MS = 8000

export interface StartedDaemon {
  /** The facts of the ready line. */
  readonly ready: Readonly<Record<string, unknown>>
  /** The same, for people. */
  readonly summary: readonly string[]
  /** Releases what it can do without for a moment, when files run out. */
  shedLoad?(): void
  /** Resolves with the reason when it has nothing to run for any more. */
  readonly failed?: Promise<MeshError>
  /** Hands over to others what it has, before it is closed; not when the process that started it has gone. */
  drain?(): Promise<void>
  close(): Promise<void>
}

/**
 * The life of a daemon: lock its directory, start, say that it is ready, wait for the request to stop, close.
 *
 * A signal during the start ends the process without waiting for the start: no client has been promised anything yet.
 */
export async function runDaemon(
  { settings, json, context }: CommandRun,
  start: (logger: Logger, signal: AbortSignal, openFilesMax: number | undefined) => Promise<StartedDaemon>,
  role?: DaemonRole
): Promise<number> {
  const openFilesMax = await openFilesLimit()
  requireOpenFiles(openFilesMax)
  using stop = new StopSignal()
  await using _lock = await lockDirectory(settings.data, role)
  const logger = createLogger(settings.logLevel, context.err)
  await keepPrivate(settings.data, logger)
  let daemon: StartedDaemon | undefined
  using _lastResort = new LastResort(logger, {
    shed: () => daemon?.shedLoad?.(),
    release: async () => daemon?.close()
  })
  daemon = (await Promise.race([start(logger, stop.signal, openFilesMax), stop.wait()])) ?? undefined
  if (daemon === undefined) return EXIT_OK
  if (json) context.out.json({ ready: true, pid: process.pid, ...daemon.ready })
  else context.out.print(text`${joined(daemon.summary, '\n')}\n`)
  const failure = await Promise.race([stop.wait(), daemon.failed ?? stop.wait()])
  logger.info('stopping')
  const running = daemon
  try {
    if (!stop.orphaned && failure === undefined) {
      await running.drain?.().catch(error => logger.error({ err: MeshError.from(error) }, 'not all was handed over'))
    }
    await withDeadline('closing', CLOSE_TIMEOUT_MS, () => running.close())
  } catch (error) {
    logger.error({ err: MeshError.from(error) }, 'stopped without a clean end')
    return EXIT_FAILED
  }
  if (failure instanceof MeshError) throw failure
  return EXIT_OK
}
