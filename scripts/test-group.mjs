// Runs several test files in one process, one after the other: what they import is loaded once for all of them, which is
// most of the time of a short one. Started by run-tests.mjs. Each file is a test of its own, with its own teardown.
import module from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const groupTap = new URL('group-tap.mjs', import.meta.url).href

module.registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'tap' && context.parentURL !== groupTap && !context.parentURL?.includes('/node_modules/')
      ? { url: groupTap, format: 'module', shortCircuit: true }
      : next(specifier, context)
})

// not by arguments: tap names directories after those
const names = JSON.parse(process.env.RESULTITY_TEST_FILES)
delete process.env.RESULTITY_TEST_FILES
const { runFile } = await import(groupTap)
for (const name of names) await runFile(name, () => import(pathToFileURL(resolve(name)).href))
