// Runs compiled tests side by side, the long ones first, and writes one TAP stream. Started by test.mjs.
//
// `tap run` would do, but for its order, which is the alphabet's and leaves the longest file to run alone at the end,
// and for its loader, which every process that a test starts would load too: a third more for each start of a daemon.
import { globSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { t } from 'tap'
import { root } from './setup.mjs'
import { groupsOf } from './test-groups.mjs'

/** The files that take the longest; nothing is shown before the first has ended, so these are not the very longest. */
const LONG_FIRST = [
  'packages/cli/dist/test/up.test.js',
  'test/dist/failures.test.js',
  'test/dist/smollm2-exact.test.js',
  'test/dist/transcriptions.test.js',
  'test/dist/crash.test.js',
  'packages/engine/dist/test/families.test.js',
  'test/dist/rolling-restart.test.js',
  'test/dist/failover.test.js',
  'packages/engine/dist/test/same-bits.test.js',
  'packages/simulation/dist/test/seeds.test.js',
  'packages/coordinator/dist/test/node-loss.test.js',
  'packages/model/dist/test/fuzz.test.js',
  'packages/engine/dist/test/reference-logits.test.js',
  'packages/store/dist/test/crash.test.js',
  'packages/store/dist/test/postgres-job-store.test.js'
]

/** They measure the memory, files or threads of the process that they run in. */
const ALONE = [
  'packages/engine/dist/test/file-pages.test.js',
  'packages/engine/dist/test/idle-memory.test.js',
  'packages/engine/dist/test/memory.test.js',
  'packages/engine/dist/test/thread-affinity.test.js',
  'packages/pictures/dist/test/bad-pictures.test.js',
  'packages/runtime-tuning/dist/test/freed-memory.test.js',
  'packages/runtime-tuning/dist/test/huge-pages.test.js'
]

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { bail: { type: 'boolean', default: false }, snapshot: { type: 'boolean', default: false } }
})
const { include, exclude, jobs, timeout } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).tap

/** Those that are named, or else all, as paths from the root. */
function testFiles() {
  const named = positionals.flatMap(name => {
    const found = globSync(name)
    if (found.length === 0) throw new Error(`there is no test file ${name}`)
    return found.map(path => relative(root, resolve(path)))
  })
  if (positionals.length > 0) return named
  const all = globSync(include, { cwd: root, exclude }).toSorted()
  const missing = [...LONG_FIRST, ...ALONE].filter(path => !all.includes(path))
  if (missing.length > 0) throw new Error(`scripts/run-tests.mjs names ${missing}, which is not there`)
  const others = all.filter(path => !LONG_FIRST.includes(path))
  // whole meshes take longer than parts of them
  const isOfMesh = path => path.startsWith('test/')
  return [...LONG_FIRST, ...others.filter(isOfMesh), ...others.filter(path => !isOfMesh(path))]
}

const groups = positionals.length > 0 ? testFiles().map(name => ({ name, files: [name] })) : inOrder(testFiles())

/** Long files first, then groups, which are long as well, then the others. */
function inOrder(files) {
  const groups = groupsOf(files, [...LONG_FIRST, ...ALONE])
  const rank = ({ name, files: [first] }) => (LONG_FIRST.includes(first) ? 0 : first === name ? 2 : 1)
  return groups.toSorted((a, b) => rank(a) - rank(b))
}

const preload = new URL('test-preload.mjs', import.meta.url).href
const groupRunner = fileURLToPath(new URL('test-group.mjs', import.meta.url))
// what `tap run` tells a file
process.env.TAP_CWD = root
process.env.TAP_TIMEOUT = String(timeout)
if (options.snapshot) process.env.TAP_SNAPSHOT = '1'
t.bail = options.bail
t.jobs = jobs
// the files have theirs
t.setTimeout(0)
t.plan(groups.length)
for (const { name, files } of groups) {
  const [first] = files
  const program = files.length === 1 ? [first] : [groupRunner]
  const named = files.length === 1 ? [] : [`RESULTITY_TEST_FILES=${JSON.stringify(files)}`]
  // tap hands its loader on in NODE_OPTIONS
  t.spawn('env', ['-u', 'NODE_OPTIONS', ...named, process.execPath, '--import', preload, ...program], {
    name,
    cwd: root,
    at: null,
    stack: '',
    buffered: groups.length > 1,
    timeout: timeout * 1000
  })
}
