// `npm run bench -- split --model REF --json`: sets the checkout up, then measures. Arguments go to scripts/bench.
import { join } from 'node:path'
import { root, run, SetupError, setUp } from './setup.mjs'

try {
  const runtime = await setUp()
  const main = join(root, 'scripts/dist/bench/main.js')
  const { code } = await run(runtime, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exit(code ?? 1)
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}
