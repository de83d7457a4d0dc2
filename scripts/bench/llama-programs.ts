import { type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import { MeshError } from '@resultity/interface'

/** The release whose sources of llama.cpp are built; they are inside the package, as a git bundle. */
const NODE_LLAMA_CPP_VERSION = '3.22.1'
const TOOLS = ['git', 'cmake', 'c++', 'tar']
/** Without a GPU, a web page, downloads and what is not asked for: less to build, and the same arithmetic. */
const CMAKE_OPTIONS = [
  '-DCMAKE_BUILD_TYPE=Release',
  '-DBUILD_SHARED_LIBS=OFF',
  '-DGGML_METAL=OFF',
  '-DLLAMA_CURL=OFF',
  '-DLLAMA_BUILD_UI=OFF',
  '-DLLAMA_BUILD_TESTS=OFF',
  '-DLLAMA_BUILD_EXAMPLES=OFF'
]

/** Programs of llama.cpp, by their paths. */
export interface LlamaPrograms {
  readonly bench: string
  readonly server: string
}

export interface LlamaBuildInit {
  /** The sources and the build are kept here. */
  readonly cacheDir: string
  /** Compilers at once. */
  readonly jobs: number
  readonly log: (line: string) => void
}

/**
 * llama.cpp's own programs, built below `cacheDir` when they are not there: a quarter of an hour on two cores, at the
 * lowest priority. A build that was broken off goes on where it was.
 *
 * @throws MeshError `unavailable` with what is missing or failed
 */
export async function llamaPrograms({ cacheDir, jobs, log }: LlamaBuildInit): Promise<LlamaPrograms> {
  const directory = join(cacheDir, `llama.cpp-${NODE_LLAMA_CPP_VERSION}`)
  const build = join(directory, 'build')
  const programs = { bench: join(build, 'bin', 'llama-bench'), server: join(build, 'bin', 'llama-server') }
  if (existsSync(programs.bench) && existsSync(programs.server)) return programs
  await requireTools()
  const sources = await fetchSources(directory, log)
  log('building llama-bench and llama-server')
  await step('cmake', ['-S', sources, '-B', build, ...CMAKE_OPTIONS])
  const targets = Object.values(programs).flatMap(path => ['--target', path.slice(path.lastIndexOf('/') + 1)])
  await step('cmake', ['--build', build, '--config', 'Release', '--parallel', String(jobs), ...targets])
  return programs
}

async function requireTools(): Promise<void> {
  const found = await Promise.all(TOOLS.map(tool => exitCode(tool, ['--version'], { stdio: 'ignore' })))
  const missing = TOOLS.filter((_, index) => found[index] !== 0)
  if (missing.length === 0) return
  throw unavailable(`llama.cpp cannot be built: there is no ${missing.join(', no ')}`, `install ${missing.join(', ')}`)
}

/** @returns the directory of the sources */
async function fetchSources(directory: string, log: (line: string) => void): Promise<string> {
  const sources = join(directory, 'sources')
  if (existsSync(sources)) return sources
  log(`fetching the sources of llama.cpp in node-llama-cpp ${NODE_LLAMA_CPP_VERSION}`)
  await mkdir(directory, { recursive: true })
  await step('npm', ['pack', `node-llama-cpp@${NODE_LLAMA_CPP_VERSION}`, '--silent'], { cwd: directory })
  const bundle = 'package/llama/gitRelease.bundle'
  await step('tar', ['-xzf', `node-llama-cpp-${NODE_LLAMA_CPP_VERSION}.tgz`, bundle], { cwd: directory })
  // a clone that was broken off is begun again
  const clone = join(directory, 'clone')
  await rm(clone, { recursive: true, force: true })
  await step('git', ['clone', '--quiet', bundle, clone], { cwd: directory })
  await rename(clone, sources)
  return sources
}

/** Runs a command of the build with its output on stderr, at the lowest priority. */
async function step(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<void> {
  const code = await exitCode(command, args, { stdio: ['ignore', 2, 2], ...options })
  if (code === 0) return
  throw unavailable(`${command} ${args[0]} failed with ${code}; its output is above`, 'mend that and run it again')
}

async function exitCode(command: string, args: readonly string[], options: SpawnOptions): Promise<number | null> {
  const child = spawn(command, args, options)
  child.once('spawn', () => {
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW)
  })
  // a command that is not there emits an error instead of an exit
  return await Promise.race([once(child, 'exit').then(([code]) => code), once(child, 'error').then(() => null)]).catch(
    () => null
  )
}

function unavailable(message: string, hint: string): MeshError {
  return new MeshError('unavailable', message, { hint: `${hint}, or leave it out with --without llama.cpp` })
}
