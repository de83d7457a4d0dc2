// Runs the tests: once, several times, beside busy processes, from a seed. Everything is set up by now.
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { busyCount, startBusyProcesses } from './busy-processes.mjs'
import { root, run } from './setup.mjs'
import { allGreen, outcomeLines } from './test-outcomes.mjs'

const { tap } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
/** What a run that wrote no summary comes to. */
const BROKEN_OFF = { passed: 0, failed: 1, failures: ['the run broke off'] }

/**
 * Runs the tests as often as the options ask for.
 *
 * @param {string} runtime the Node that runs them
 * @param {ReturnType<import('./test-options.mjs').readOptions>} options
 * @returns {Promise<number>} the exit code: 0 when every run was green
 */
export async function testRuns(runtime, options) {
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
