import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { AbortOptions, Scheduler } from '@resultity/interface'
import { audioInvalid } from '../audio-invalid.ts'
import type { AudioLimits } from '../audio-limits.ts'
import type { ForeignAudio } from '../decoding/foreign-audio.ts'
import { ffmpegArguments } from './ffmpeg-arguments.ts'
import { ffmpegError } from './ffmpeg-end.ts'
import { endOf, errorsOf, lower, notStarted, startFfmpeg } from './ffmpeg-process.ts'

export interface FfmpegRunInit {
  /** The program's file. */
  readonly program: string
  readonly limits: AudioLimits
  readonly deadlineMs: number
  readonly scheduler: Scheduler
}

/** Takes what ffmpeg writes: samples of 16 bits, of one channel at 16 kHz. */
export interface PcmSink {
  /** @throws MeshError when that is more than may be: ffmpeg is ended then */
  add(chunk: Uint8Array): void
}

/**
 * Runs ffmpeg over a file, once. It has no environment, no input but the file, and is killed when the time is up, when
 * there is more sound than may be, or when the signal aborts. It has ended when this settles.
 *
 * @param file its input
 * @param folder its working directory
 * @param sound takes the sound as it comes
 * @throws MeshError `invalid_request` with the fault in `details.fault`; `unavailable` when it does not start; the
 * signal's reason
 */
export async function runFfmpeg(
  { program, limits, deadlineMs, scheduler }: FfmpegRunInit,
  foreign: ForeignAudio,
  { file, folder }: { readonly file: FileHandle; readonly folder: string },
  sound: PcmSink,
  { signal }: AbortOptions = {}
): Promise<void> {
  signal?.throwIfAborted()
  const child = startFfmpeg(program, ffmpegArguments(foreign, limits, deadlineMs), { cwd: folder, stdin: file.fd })
  const { stdout, stderr } = child
  let failed = false
  let failure: unknown
  const stop = (reason: unknown): void => {
    if (!failed) failure = reason
    failed = true
    child.kill('SIGKILL')
    // a process that it started may have them open too
    stdout.destroy()
    stderr.destroy()
  }
  const late = (): void => stop(audioInvalid('too_costly', `ffmpeg took more than ${deadlineMs} ms over the audio`))
  const timer = scheduler.setTimeout(late, deadlineMs)
  const onAbort = (): void => stop(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  child.on('error', error => stop(notStarted(program, error)))
  try {
    lower(child.pid)
    passOn(stdout, sound, stop)
    const said = errorsOf(stderr)
    const end = await endOf(child)
    if (failed) throw failure
    if (end.code !== 0) throw ffmpegError(foreign.name, end, said())
  } finally {
    scheduler.clear(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

function passOn(stdout: Readable, sound: PcmSink, stop: (reason: unknown) => void): void {
  stdout.on('error', stop)
  stdout.on('data', (chunk: Buffer) => {
    try {
      sound.add(chunk)
    } catch (error) {
      stop(error)
    }
  })
}
