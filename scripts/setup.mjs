// Makes a checkout ready to run: dependencies, the Node that runs everything, compiled packages. Runs on the
// machine's own Node, which may be as old as 20, and before anything is installed: so built-in modules only.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const modules = join(root, 'node_modules')

/** What `resultity` runs, see bundle.mjs; the stamp in it is as old as its last build. */
export const bundleDirectory = join(root, 'packages/cli/dist/bundle')
export const bundleStamp = join(bundleDirectory, '.built')

/** Lowest Node that the packages run on, where the platform has none on npm. */
const RUNTIME_MIN = [22, 13]

/** A step failed in a way that is already explained; the message is for the user. */
export class SetupError extends Error {}

/**
 * Installs and builds what is missing or stale. Writes to stderr only: stdout belongs to the command that follows.
 *
 * @param project what to build, with all that it needs; everything when left out
 * @returns absolute path of the Node to run everything with
 */
export async function setUp(project = '.') {
  if (!installed()) await install()
  const runtime = findRuntime()
  await build(runtime, project)
  return runtime
}

/** Sets the checkout up, then is the program at this path of it: its arguments, its streams, its exit code. */
export async function become(path, nodeOptions = []) {
  await becomeEach([path], nodeOptions)
}

/** As {@link become}, of several programs one after the other: all of them run, and the exit code is the worst. */
export async function becomeEach(paths, nodeOptions = []) {
  try {
    const runtime = await setUp()
    let worst = 0
    for (const path of paths) {
      const args = [...nodeOptions, join(root, path), ...process.argv.slice(2)]
      const { code } = await run(runtime, args, { stdio: 'inherit' })
      worst = Math.max(worst, code ?? 1)
    }
    process.exit(worst)
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  }
}

/** Runs a command with its output on stderr. @throws SetupError when it fails */
export async function step(what, command, args, options = {}) {
  const { code, signal } = await run(command, args, { stdio: ['ignore', 2, 2], ...options })
  if (code !== 0) throw new SetupError(`${what} failed (${signal ?? `exit code ${code}`}); its output is above`)
}

/** Runs a command to its end in the repository root, with the installed tools first on PATH. */
export function run(command, args, { env = {}, onSpawn, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env: { ...process.env, ...toolPath(), ...env }, ...options })
    onSpawn?.(child)
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve({ code, signal }))
  })
}

function toolPath() {
  return { PATH: `${join(modules, '.bin')}:${process.env.PATH ?? ''}` }
}

/**
 * Compares what the lock file asks for with what npm recorded as installed. npm writes that record last, so an
 * installation that was cut short reads as none.
 */
function installed() {
  const recordPath = join(modules, '.package-lock.json')
  if (!existsSync(recordPath)) return false
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  const present = JSON.parse(readFileSync(recordPath, 'utf8')).packages
  return Object.entries(wanted).every(
    ([path, entry]) =>
      // optional packages are there or not by platform; entries outside node_modules are the workspaces themselves
      !path.startsWith('node_modules/') ||
      entry.optional === true ||
      (present[path] !== undefined && present[path].version === entry.version)
  )
}

async function install() {
  const startedAt = Date.now()
  process.stderr.write('Installing dependencies from the lock file (about 600 packages; once, some 30 to 60 s) …\n')
  const args = ['ci', '--include=dev', '--include=optional']
  const npm = process.env.npm_execpath
  // under `npm start` the very npm that runs us, else the one on PATH
  if (npm?.endsWith('.js')) await step('npm ci', process.execPath, [npm, ...args])
  else await step('npm ci', 'npm', args)
  process.stderr.write(`Installed in ${Math.round((Date.now() - startedAt) / 1000)} s.\n`)
}

function findRuntime() {
  const bundled = join(modules, '.bin/node')
  if (existsSync(bundled)) return bundled
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > RUNTIME_MIN[0] || (major === RUNTIME_MIN[0] && minor >= RUNTIME_MIN[1])) return process.execPath
  throw new SetupError(
    `npm has no Node 24 package for ${process.platform}-${process.arch}, and this Node is ${process.versions.node}.\n` +
      `Install Node ${RUNTIME_MIN.join('.')} or newer (https://nodejs.org) and run the command again.`
  )
}

async function build(runtime, project) {
  const fresh = !existsSync(join(root, 'packages/cli/dist'))
  if (fresh) process.stderr.write('Building …\n')
  await step('the build', runtime, [join(modules, 'typescript/bin/tsc'), '-b', project])
  removeStaleTests()
  if (bundleIsStale()) await step('the bundle', runtime, [join(root, 'scripts/bundle.mjs')])
}

/** The compiler touches a package's build record when it compiles any of it. */
function bundleIsStale() {
  if (!existsSync(bundleStamp)) return true
  const builtAt = statSync(bundleStamp).mtimeMs
  const records = readdirSync(join(root, 'packages')).map(name =>
    join(root, 'packages', name, 'dist/tsconfig.tsbuildinfo')
  )
  return ['package-lock.json', 'scripts/bundle.mjs']
    .map(name => join(root, name))
    .concat(records)
    .some(path => existsSync(path) && statSync(path).mtimeMs >= builtAt)
}

/** The compiler leaves the output of a deleted source behind, and the test runner would still run it. */
function removeStaleTests() {
  const projects = readdirSync(join(root, 'packages')).map(name => join(root, 'packages', name))
  for (const [compiled, sources] of [
    ...projects.map(path => [join(path, 'dist/test'), join(path, 'test')]),
    [join(root, 'test/dist'), join(root, 'test')]
  ]) {
    if (!existsSync(compiled)) continue
    for (const path of readdirSync(compiled, { recursive: true }).map(String)) {
      if (!path.endsWith('.test.js')) continue
      if (!existsSync(join(sources, path.replace(/\.js$/, '.ts')))) rmSync(join(compiled, path))
    }
  }
}
