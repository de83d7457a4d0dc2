// Puts the compiled packages and the libraries they load into a few files in packages/cli/dist/bundle, which
// `resultity` runs. A daemon otherwise opens 1,200 to 2,400 files before it is up; see docs/architecture.md, "The bundle".
import { globSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { bundleDirectory, bundleStamp, root } from './setup.mjs'

/** Left in node_modules: native code, what only rare commands load, and what is LGPL. */
const EXTERNAL = [
  'better-sqlite3',
  '@evan/opus',
  'koffi',
  'onnxruntime-node',
  'sharp',
  // its optional native part is not installed
  'pg-native',
  // WebAssembly as text; two of them have LGPL parts, to be exchanged by whoever wants to
  'opus-decoder',
  'mpg123-decoder',
  '@wasm-audio-decoders/ogg-vorbis',
  '@scalar/fastify-api-reference',
  'proper-lockfile'
]

// by their sources: the compiler leaves what it made of a file behind when that file is moved
const workers = globSync('packages/*/src/**/*-worker.ts', { cwd: root }).map(path =>
  path.replace('/src/', '/dist/src/').replace(/\.ts$/, '.js')
)
const entries = ['packages/cli/dist/src/index.js', ...workers]
// all of them beside each other: a worker is started from `./NAME-worker.js`, next to whatever starts it
const names = entries.map(path => basename(path, '.js'))
const repeated = names.find((name, index) => names.indexOf(name) !== index)
if (repeated !== undefined)
  throw new Error(`two workers are called ${repeated}.js; the bundle needs their names to differ`)

rmSync(bundleDirectory, { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: Object.fromEntries(entries.map((path, index) => [names[index], join(root, path)])),
  outdir: bundleDirectory,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.13',
  external: EXTERNAL,
  // CommonJS libraries in an ES module ask for Node's own modules by `require`
  banner: {
    js: "import { createRequire as bundleRequire } from 'node:module'; const require = bundleRequire(import.meta.url);"
  },
  // errors and metrics show names of classes
  keepNames: true,
  // a process keeps its source in memory, comments and indentation included, and twice where a letter is not Latin-1
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'linked',
  // an uncaught error shows its line
  lineLimit: 160,
  sourcemap: 'linked',
  sourcesContent: false,
  logLevel: 'warning'
})
// last, so that one that was cut short reads as none
writeFileSync(bundleStamp, '')
