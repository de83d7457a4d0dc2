#!/usr/bin/env node
// Plain JavaScript on purpose: it must say what is wrong on a Node, or in a checkout, that cannot run the rest.
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 13)) {
  process.stderr.write(
    `error: resultity needs Node 22.13 or newer, this is ${process.versions.node}\n` +
      '  In the checkout, "npm start" and "npx resultity" run it on the Node 24 that npm installs.\n'
  )
  process.exit(2)
}

const compiled = new URL('../dist/bundle/index.js', import.meta.url)
if (!existsSync(compiled)) {
  process.stderr.write(
    'error: resultity is not built yet\n  Run "npm run build" in the checkout; "npm start" does it by itself.\n'
  )
  process.exit(2)
}

const { main } = await import(compiled.href)
const { env, stdin, stdout, stderr } = process
// libraries may hold timers and sockets open; the command has ended
process.exit(await main({ args: process.argv.slice(2), env, home: homedir(), stdin, stdout, stderr }))
