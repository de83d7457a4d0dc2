// `npm test`: sets the checkout up, then runs every compiled test with tap. Arguments go to tap: file names, --bail …
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run, SetupError, setUp, step } from './setup.mjs'

try {
  const runtime = await setUp()
  const tap = join(root, 'node_modules/tap/dist/esm/run.mjs')
  await buildRunner(runtime, tap)
  const { code } = await run(runtime, [tap, 'run', ...process.argv.slice(2)], {
    stdio: ['ignore', 'inherit', 'inherit']
  })
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
async function buildRunner(runtime, tap) {
  const plugins = JSON.stringify(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).tap.plugin)
  const stamp = join(root, 'node_modules/@tapjs/test/test-built/.plugins')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === plugins) return
  process.stderr.write('Preparing the test runner (once) …\n')
  await step('tap build', runtime, [tap, 'build'])
  writeFileSync(stamp, plugins)
}
