import { type AbortOptions, MeshError, type Scheduler } from '@resultity/interface'
import { littleEndian } from '../encoding/pcm-encoder.ts'
import { quoted } from './ffmpeg-end.ts'
import { endOf, errorsOf, type FfmpegProcess, lower, notStarted, startFfmpeg } from './ffmpeg-process.ts'

export interface AacWriterInit extends AbortOptions {
  /** The program's file. */
  readonly program: string
  /** Of the samples, in Hz. */
  readonly rate: number
  readonly scheduler: Scheduler
}

/** Bits a second: a voice sounds clean. */
const BIT_RATE = 64_000

/** It encodes a sentence in some milliseconds: whatever takes longer stands still. */
const STEP_MS_MAX = 30_000

/** Bytes of an answer that nobody has asked for yet: ten minutes of sound. */
const HELD_BYTES_MAX = 8 * 1024 * 1024

/**
 * Has ffmpeg write one channel of sound as AAC (ADTS, ISO 13818-7), as it comes. The process has no environment, opens
 * nothing but its pipes, and is killed when a step takes too long, when the signal aborts, and when this is disposed.
 */
export class AacWriter implements Disposable {
  readonly #child: FfmpegProcess
  readonly #ended: Promise<unknown>
  readonly #scheduler: Scheduler
  readonly #stops = Promise.withResolvers<never>()
  readonly #forget: () => void
  #made: Buffer[] = []
  #madeBytes = 0

  /** @throws MeshError `unavailable` where the system has no room for another process */
  constructor({ program, rate, scheduler, signal }: AacWriterInit) {
    this.#scheduler = scheduler
    // an error that no step waits for any more
    this.#stops.promise.catch(() => {})
    const child = startFfmpeg(program, aacArguments(rate), { cwd: '/', stdin: 'pipe' })
    this.#child = child
    lower(child.pid)
    const said = errorsOf(child.stderr)
    child.on('error', error => this.#stop(notStarted(program, error)))
    // its end says why
    child.stdin?.on('error', () => {})
    child.stdout.on('error', error => this.#stop(error))
    child.stdout.on('data', (chunk: Buffer) => this.#take(chunk))
    this.#ended = endOf(child).then(({ code, signal: killedBy }) => {
      if (code !== 0) this.#stop(notEncoded(code === null ? `${killedBy}` : `exit code ${code}`, said()))
    })
    const onAbort = (): void => this.#stop(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#forget = () => signal?.removeEventListener('abort', onAbort)
    if (signal?.aborted) onAbort()
  }

  /** @returns what is complete of the file; @throws MeshError `unavailable`; the signal's reason */
  async write(samples: Int16Array): Promise<Uint8Array> {
    const { promise, resolve } = Promise.withResolvers<void>()
    // once it has taken them: a slow process slows those who speak
    this.#child.stdin?.write(littleEndian(samples), () => resolve())
    await this.#within(promise)
    return this.#given()
  }

  /** @returns the rest of the file; @throws MeshError as {@link write} */
  async finish(): Promise<Uint8Array> {
    this.#child.stdin?.end()
    await this.#within(this.#ended)
    this.#forget()
    return this.#given()
  }

  [Symbol.dispose](): void {
    this.#forget()
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL')
  }

  async #within(step: Promise<unknown>): Promise<void> {
    const late = (): void => this.#stop(notEncoded('it stands still', ''))
    const timer = this.#scheduler.setTimeout(late, STEP_MS_MAX)
    try {
      await Promise.race([this.#stops.promise, step])
      // a process that ended badly has failed before its end was told
      await Promise.race([this.#stops.promise, Promise.resolve()])
    } finally {
      this.#scheduler.clear(timer)
    }
  }

  #take(chunk: Buffer): void {
    this.#made.push(chunk)
    this.#madeBytes += chunk.length
    if (this.#madeBytes > HELD_BYTES_MAX) this.#stop(notEncoded('it writes too much', ''))
  }

  #given(): Uint8Array {
    const bytes = Buffer.concat(this.#made)
    this.#made = []
    this.#madeBytes = 0
    return bytes
  }

  #stop(reason: unknown): void {
    this.#forget()
    this.#stops.reject(reason)
    this.#child.kill('SIGKILL')
  }
}

function aacArguments(rate: number): string[] {
  const quiet = ['-nostdin', '-hide_banner', '-loglevel', 'error', '-protocol_whitelist', 'pipe']
  const input = ['-f', 's16le', '-ar', `${rate}`, '-ac', '1', '-i', 'pipe:0']
  const sound = ['-c:a', 'aac', '-b:a', `${BIT_RATE}`, '-threads', '1', '-flush_packets', '1', '-f', 'adts', 'pipe:1']
  return [...quiet, ...input, ...sound]
}

function notEncoded(how: string, said: string): MeshError {
  const why = said === '' ? '' : `: ${quoted(said)}`
  return new MeshError('unavailable', `ffmpeg did not write the sound as AAC (${how})${why}`, {
    hint: 'Ask for mp3, opus, flac, wav or pcm.'
  })
}
