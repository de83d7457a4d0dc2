// `npm start`: sets the checkout up, then runs `resultity up` with the arguments given.
import { join } from 'node:path'
import { root, run, SetupError, setUp } from './setup.mjs'

/** How often to look whether npm is still there: killed hard, it leaves us to init, and nobody would stop the mesh. */
const PARENT_CHECK_MS = 1000

try {
  const runtime = await setUp('packages/cli')
  const bin = join(root, 'packages/cli/bin/resultity.js')
  const { code, signal } = await run(runtime, [bin, 'up', ...process.argv.slice(2)], {
    // the channel's end tells `up` that we are gone
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    onSpawn: relaySignals
  })
  process.exit(code ?? (signal === 'SIGINT' ? 130 : 1))
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}

function relaySignals(child) {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => child.kill(name))
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent && child.connected) child.disconnect()
  }, PARENT_CHECK_MS).unref()
}
