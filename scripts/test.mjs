// `npm test`: sets the checkout up, then runs every compiled test, or those that are named. docs/testing.md says what
// the options are for; `npm test -- --help` lists them.
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { busyCount, startBusyProcesses } from './busy-processes.mjs'
import { root, run, SetupError, setUp, step } from './setup.mjs'
import { HELP, readOptions, UsageError } from './test-options.mjs'
import { allGreen, outcomeLines } from './test-outcomes.mjs'

const { tap } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
/** What a run that wrote no summary comes to. */
const BROKEN_OFF = { passed: 0, failed: 1, failures: ['the run broke off'] }

try {
  const options = readOptions(process.argv.slice(2))
  if (options.help) process.stdout.write(HELP)
  else process.exitCode = await test(options)
} catch (error) {
  if (!(error instanceof SetupError || error instanceof UsageError)) throw error
  process.stderr.write(`${error.message}\n`)
  if (error instanceof SetupError) process.stdout.write('0 passed, 1 failed\n')
  process.exitCode = 1
}

async function test(options) {
  const runtime = await setUp()
  await buildRunner(runtime)
  const busy = options.underLoad === undefined ? undefined : startBusy(options.underLoad)
  const outcomes = []
  try {
    for (let index = 1; index <= options.runs; index++) {
      if (options.runs > 1) process.stdout.write(`\nRun ${index} of ${options.runs}\n`)
      outcomes.push(await runOnce(runtime, options))
    }
  } finally {
    busy?.stop()
  }
  if (options.runs > 1) process.stdout.write(outcomeLines(outcomes))
  return allGreen(outcomes) ? 0 : 1
}

function startBusy(load) {
  const count = busyCount(load, tap.jobs)
  process.stderr.write(`Under load: ${count} busy processes beside ${tap.jobs} test files at a time.\n`)
  return startBusyProcesses(count)
}

/** Every test once. A run with fresh seeds draws one of its own. */
async function runOnce(runtime, { freshSeeds, seed = freshSeeds ? randomInt(2 ** 31) : undefined, forwarded }) {
  if (seed !== undefined) process.stdout.write(`Property tests draw from seed ${seed}.\n`)
  const startedAt = performance.now()
  const summary = spawn(runtime, [join(root, 'scripts/tap-summary.mjs')], {
    stdio: ['pipe', 'inherit', 'inherit', 'ipc']
  })
  let outcome = BROKEN_OFF
  summary.on('message', message => {
    outcome = message
  })
  const ended = once(summary, 'close')
  await run(runtime, [join(root, 'scripts/run-tests.mjs'), ...forwarded], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: seed === undefined ? {} : { RESULTITY_TEST_SEED: String(seed) },
    onSpawn: ({ stdout }) => stdout.pipe(summary.stdin)
  })
  const [code] = await ended
  if (outcome.failed > 0 && seed !== undefined) {
    process.stdout.write(`To draw the same cases again: npm test -- --seed ${seed}\n`)
  }
  const seconds = (performance.now() - startedAt) / 1000
  return { ...outcome, failed: code === 0 ? outcome.failed : Math.max(1, outcome.failed), seconds, seed }
}

/**
 * tap compiles its test class from the list of plugins. Left to itself it does so in the midst of the first run and
 * still loads the old plugins, and every file fails; so it is built ahead, once for each list.
 */
async function buildRunner(runtime) {
  const program = join(root, 'node_modules/tap/dist/esm/run.mjs')
  const plugins = JSON.stringify(tap.plugin)
  const stamp = join(root, 'node_modules/@tapjs/test/test-built/.plugins')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === plugins) return
  process.stderr.write('Preparing the test runner (once) …\n')
  await step('tap build', runtime, [program, 'build'])
  writeFileSync(stamp, plugins)
}
