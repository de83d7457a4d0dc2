// Loaded before each test file, by run-tests.mjs: what lets it start and run with less work. A test file means the same
// without it.
import module from 'node:module'
import { fileURLToPath } from 'node:url'

// of this process alone: a daemon that a test starts is measured as users start it, without
module.enableCompileCache?.(fileURLToPath(new URL('../node_modules/.cache/tests', import.meta.url)))

// lines of TypeScript in stack traces, of our code alone: the flag would read the maps of tap's 150 modules as well
if (module.setSourceMapsSupport === undefined) process.setSourceMapsEnabled(true)
else module.setSourceMapsSupport(true, { nodeModules: false })

/** The modules by which tap finds the test that an error belongs to which nobody awaits. */
const TAP_CONTEXTS = /\/node_modules\/(?:async-hook-domain|@tapjs\/core)\//
const contexts = new URL('test-contexts.mjs', import.meta.url).href

module.registerHooks?.({
  resolve: (specifier, context, next) =>
    specifier === 'async_hooks' && TAP_CONTEXTS.test(context.parentURL ?? '')
      ? { url: contexts, format: 'module', shortCircuit: true }
      : next(specifier, context)
})
