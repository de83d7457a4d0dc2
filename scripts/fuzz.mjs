// `npm run fuzz -- TARGET --seed N --minutes M`: sets the checkout up, then fuzzes. Arguments go to run-fuzz.mjs.
import { join } from 'node:path'
import { root, run, SetupError, setUp } from './setup.mjs'

try {
  const runtime = await setUp()
  const main = join(root, 'scripts/run-fuzz.mjs')
  const { code } = await run(runtime, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exit(code ?? 1)
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}
