// `npm test`: sets the checkout up, then runs every compiled test, or those that are named. `--bail` stops at the first
// failure, `--snapshot` writes snapshots anew.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, SetupError, setUp, step } from './setup.mjs'

try {
  const runtime = await setUp()
  await buildRunner(runtime)
  const summary = spawn(runtime, [join(root, 'scripts/tap-summary.mjs')], { stdio: ['pipe', 'inherit', 'inherit'] })
  const ended = once(summary, 'exit')
  await run(runtime, [join(root, 'scripts/run-tests.mjs'), ...process.argv.slice(2)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    onSpawn: ({ stdout }) => stdout.pipe(summary.stdin)
  })
  const [code] = await ended
  process.exit(code ?? 1)
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.stdout.write('0 passed, 1 failed\n')
  process.exit(1)
}

/**
 * tap compiles its test class from the list of plugins. Left to itself it does so in the midst of the first run and
 * still loads the old plugins, and every file fails; so it is built ahead, once for each list.
 */
async function buildRunner(runtime) {
  const tap = join(root, 'node_modules/tap/dist/esm/run.mjs')
  const plugins = JSON.stringify(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).tap.plugin)
  const stamp = join(root, 'node_modules/@tapjs/test/test-built/.plugins')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === plugins) return
  process.stderr.write('Preparing the test runner (once) …\n')
  await step('tap build', runtime, [tap, 'build'])
  writeFileSync(stamp, plugins)
}
