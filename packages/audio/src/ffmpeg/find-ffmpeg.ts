import { execFile } from 'node:child_process'
import { access, constants, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import { promisify } from 'node:util'
import { type AbortOptions, MeshError } from '@resultity/interface'

/** An ffmpeg that answered. */
export interface Ffmpeg {
  /** Its file, absolute. */
  readonly file: string
  /** As it says: "5.1.9-0+deb12u1". */
  readonly version: string
}

export interface FindFfmpegInit {
  /** The program's file; `false` for none; left out, it is looked for in `searchPath`. */
  readonly setting?: string | false | undefined
  /** Directories, separated as the variable PATH has them. */
  readonly searchPath?: string | undefined
}

/** It loads some hundred libraries from a cold disk. */
const ANSWER_MS_MAX = 20_000
const ANSWER_BYTES_MAX = 64 * 1024
const VERSION_LENGTH_MAX = 60

const run = promisify(execFile)

/**
 * Finds the ffmpeg that files are decoded with, which whoever composes a coordinator does once and writes to its log.
 * @returns undefined where there is none, or none is wanted
 * @throws MeshError `settings_invalid` when the one that was set does not run
 */
export async function findFfmpeg(
  { setting, searchPath = '' }: FindFfmpegInit,
  options: AbortOptions = {}
): Promise<Ffmpeg | undefined> {
  if (setting === false) return undefined
  if (setting !== undefined) return await askVersion(setting, options)
  for (const directory of searchPath.split(delimiter)) {
    const file = join(directory, 'ffmpeg')
    // a relative directory would mean another one wherever the process goes
    if (!isAbsolute(file) || !(await isProgram(file))) continue
    try {
      return await askVersion(file, options)
    } catch (error) {
      options.signal?.throwIfAborted()
      // one that does not run, as of another processor: the next directory may have a better one
      if (!(error instanceof MeshError)) throw error
    }
  }
  return undefined
}

async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK)
    return (await stat(file)).isFile()
  } catch {
    // there is none, or it is not for us
    return false
  }
}

async function askVersion(file: string, { signal }: AbortOptions): Promise<Ffmpeg> {
  const hint = 'Give the absolute path of an ffmpeg program, or turn it off.'
  if (!isAbsolute(file)) throw new MeshError('settings_invalid', `ffmpeg: ${file} is no absolute path`, { hint })
  try {
    const limits = { timeout: ANSWER_MS_MAX, maxBuffer: ANSWER_BYTES_MAX, env: {}, killSignal: 'SIGKILL' } as const
    const { stdout } = await run(file, ['-version'], { ...limits, ...(signal && { signal }) })
    const version = /^ffmpeg version ([!-~]+)/.exec(stdout)?.[1]
    if (version === undefined) throw new Error('it does not say its version')
    return { file, version: version.slice(0, VERSION_LENGTH_MAX) }
  } catch (error) {
    signal?.throwIfAborted()
    const { message } = MeshError.from(error)
    throw new MeshError('settings_invalid', `ffmpeg: ${file} does not run: ${message.slice(0, 200)}`, {
      hint,
      cause: error
    })
  }
}
