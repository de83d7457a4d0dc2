// `npm test`: sets the checkout up, then runs every compiled test, or those that are named. docs/testing.md says what
// the options are for; `npm test -- --help` lists them.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, SetupError, setUp, step } from './setup.mjs'
import { HELP, readOptions, UsageError } from './test-options.mjs'
import { testRuns } from './test-runs.mjs'

try {
  const options = readOptions(process.argv.slice(2))
  if (options.help) process.stdout.write(HELP)
  else {
    const runtime = await setUp()
    await buildRunner(runtime)
    process.exitCode = await testRuns(runtime, options)
  }
} catch (error) {
  if (!(error instanceof SetupError || error instanceof UsageError)) throw error
  process.stderr.write(`${error.message}\n`)
  if (error instanceof SetupError) process.stdout.write('0 passed, 1 failed\n')
  process.exitCode = 1
}

/**
 * tap compiles its test class from the list of plugins. Left to itself it does so in the midst of the first run and
 * still loads the old plugins, and every file fails; so it is built ahead, once for each list.
 */
async function buildRunner(runtime) {
  const program = join(root, 'node_modules/tap/dist/esm/run.mjs')
  const plugins = JSON.stringify(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).tap.plugin)
  const stamp = join(root, 'node_modules/@tapjs/test/test-built/.plugins')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === plugins) return
  process.stderr.write('Preparing the test runner (once) …\n')
  await step('tap build', runtime, [program, 'build'])
  writeFileSync(stamp, plugins)
}
