import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t from 'tap'
import { eventually } from './mesh-state.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const scripts = join(root, 'scripts')

interface Finished {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

const moduleUrl = (name: string): string => pathToFileURL(join(scripts, name)).href
/** What `npm test` does once the checkout is set up; to set it up beside other tests would take it from under them. */
const afterSetup = `import { readOptions } from '${moduleUrl('test-options.mjs')}'
  import { testRuns } from '${moduleUrl('test-runs.mjs')}'
  process.exitCode = await testRuns(process.execPath, readOptions(process.argv.slice(1)))`

const npmTest = (...args: readonly string[]) => finish(['--input-type=module', '--eval', afterSetup, '--', ...args])

async function finish(args: readonly string[]): Promise<Finished> {
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    // what a test file is told by the runner is not meant for another runner
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:TAP|RESULTITY_TEST)/.test(name)))
  })
  const closed = once(child, 'close')
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = await closed
  return { code, output, errors }
}

/** A test file that asserts once, and in its second run once more, in vain. It keeps the seeds that it was given. */
const uneven = `
import { appendFileSync, readFileSync } from 'node:fs'
import t from 'tap'
const log = new URL('./log', import.meta.url)
appendFileSync(log, JSON.stringify({ seed: process.env.RESULTITY_TEST_SEED ?? null }) + '\\n')
const runs = readFileSync(log, 'utf8').trim().split('\\n').length
t.pass('always')
if (runs === 2) t.fail('the second time')
`

t.test('several runs: a table of them, what failed in how many, and a failure in the end', async t => {
  const directory = t.testdir({ 'uneven.test.mjs': uneven })
  const { code, output, errors } = await npmTest('--runs', '3', '--under-load', '2', join(directory, 'uneven.test.mjs'))
  t.equal(code, 1, errors)
  t.match(errors, /2 busy processes/)
  t.match(output, /run +passed +failed +seconds\n +1 +1 +0 +\d+\n +2 +1 +1 +\d+\n +3 +1 +0 +\d+\n/)
  t.match(output, /✗ in 1 of 3 runs: \S*uneven\.test\.mjs › the second time/)
  t.match(output, /different numbers of assertions/)
})

t.test('runs that make different numbers of assertions are not green', async t => {
  const directory = t.testdir({ 'uneven.test.mjs': uneven.replace("t.fail('the second time')", 't.pass()') })
  const { code, output } = await npmTest('--runs', '2', join(directory, 'uneven.test.mjs'))
  t.equal(code, 1)
  t.match(output, /different numbers of assertions/)
})

/** Two tests end though something went wrong beside them; the third has nothing to do with it. */
const late = `
import t from 'tap'
// what never comes: a test that goes on behind its error may be told of twice
const ever = new Promise(() => {})
t.test('throws later', async () => {
  setTimeout(() => { throw new Error('out of a timer') }, 1)
  await ever
})
t.test('has a part', t => t.test('that rejects later', async () => {
  void Promise.reject(new Error('of a promise'))
  await ever
}))
t.test('is fine', async t => { t.pass() })
t.teardown(() => process.stderr.write('torn down\\n'))
`

t.test('an error that nobody awaits is that of the test that it came from, and the file is torn down', async t => {
  const directory = t.testdir({ 'late.test.mjs': late })
  const { code, output, errors } = await npmTest(join(directory, 'late.test.mjs'))
  t.equal(code, 1)
  const failed = [...output.matchAll(/✗ \S*late\.test\.mjs › (.*)/g)].map(match => match[1])
  t.same(failed, ['throws later › out of a timer', 'has a part › that rejects later › of a promise'])
  t.match(output, /1 passed, 2 failed\n$/)
  t.match(errors, /torn down/)
})

t.test('a seed is handed on, and a fresh one is drawn for each run and said', async t => {
  const directory = t.testdir({ 'seeds.test.mjs': uneven.replace('runs === 2', 'runs === 0') })
  const path = join(directory, 'seeds.test.mjs')
  t.match(await npmTest('--seed', '17', path), { code: 0, output: /from seed 17\./ })
  const { code, output } = await npmTest('--fresh-seeds', '--runs', '2', path)
  t.equal(code, 0)
  const said = [...output.matchAll(/from seed (\d+)\./g)].map(match => match[1])
  t.equal(new Set(said).size, 2)
  const log = readFileSync(join(directory, 'log'), 'utf8').trim().split('\n')
  t.same(
    log.map(line => JSON.parse(line).seed),
    ['17', ...said]
  )
})

t.test('options of nonsense are refused by name, before anything is done', async t => {
  const command = (...args: readonly string[]) => finish([join(scripts, 'test.mjs'), ...args])
  for (const args of [['--seed', 'x'], ['--seed', '-1'], ['--runs', '0'], ['--under-load', '1e3'], ['--banana']]) {
    t.match(await command(...args), { code: 1, output: '', errors: new RegExp(args[0] ?? '') }, args.join(' '))
  }
  t.match(await command('--seed', '1', '--fresh-seeds'), { code: 1, errors: /exclude each other/ })
  t.match(await command('--help'), { code: 0, output: /--under-load N/ })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    // one that has ended and that nobody waited for is gone as well
    return !existsSync('/proc') || !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

t.test('busy processes end with whoever started them, however that ends', async t => {
  const start = `import { startBusyProcesses } from '${moduleUrl('busy-processes.mjs')}'
    process.stdout.write(JSON.stringify(startBusyProcesses(2).pids) + '\\n')
    process.stdin.on('data', () => process.exit(3)).resume()`
  for (const end of ['SIGKILL', 'SIGINT', 'SIGTERM', 'exit'] as const) {
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', start], {
      stdio: ['pipe', 'pipe', 'inherit']
    })
    const exited = once(parent, 'exit')
    const [line] = await once(parent.stdout, 'data')
    const pids: number[] = JSON.parse(String(line))
    t.equal(pids.filter(isAlive).length, 2)
    if (end === 'exit') parent.stdin.write('x')
    else parent.kill(end)
    await exited
    await eventually(
      `no busy process after ${end}`,
      async () => pids.filter(isAlive),
      alive => alive.length === 0
    )
    t.pass(`none is left after ${end}`)
  }
})
