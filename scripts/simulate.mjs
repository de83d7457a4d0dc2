// `npm run simulate -- --seed N`: sets the checkout up, then simulates. Arguments go to scripts/simulate.
import { join } from 'node:path'
import { root, run, SetupError, setUp } from './setup.mjs'

try {
  const runtime = await setUp()
  const main = join(root, 'scripts/dist/simulate/main.js')
  const { code } = await run(runtime, ['--enable-source-maps', main, ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exit(code ?? 1)
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}
