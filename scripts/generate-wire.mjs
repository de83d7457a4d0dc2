// Generates packages/wire/src/gen from proto/. `--check` writes nothing and fails when the committed code differs.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const protoDir = join(root, 'proto')
const genDir = join(root, 'packages', 'wire', 'src', 'gen')
const outputs = ['messages.js', 'messages.d.ts']
const pbjs = join(dirname(createRequire(import.meta.url).resolve('protobufjs-cli/package.json')), 'bin', 'pbjs')

/** What is not asked for is not generated: the typed codecs of packages/wire check what they decode. */
const pbjsArguments = [
  ...['--target', 'static-module', '--wrap', 'esm', '--dependency', 'protobufjs/minimal.js'],
  ...['--no-create', '--no-verify', '--no-convert', '--no-delimited', '--no-typeurl', '--no-service'],
  ...['--path', protoDir]
]

function generate(outDir) {
  const protoFiles = readdirSync(protoDir)
    .filter(name => name.endsWith('.proto'))
    .toSorted()
    .map(name => join(protoDir, name))
  const run = extra => execFileSync(process.execPath, [pbjs, ...pbjsArguments, ...extra, ...protoFiles])
  // Types are derived from the comments, which the code itself need not carry: so two passes.
  run(['--dts', '--out', join(outDir, 'messages.js')])
  run(['--no-comments', '--out', join(outDir, 'messages.js')])
}

const checking = process.argv.includes('--check')
const outDir = mkdtempSync(join(tmpdir(), 'generate-wire-'))
try {
  generate(outDir)
  const stale = []
  for (const name of outputs) {
    const fresh = readFileSync(join(outDir, name), 'utf8')
    if (!checking) writeFileSync(join(genDir, name), fresh)
    else if (readFileSync(join(genDir, name), 'utf8') !== fresh) stale.push(name)
  }
  if (stale.length > 0) {
    process.stderr.write(
      `packages/wire/src/gen: ${stale.join(', ')} out of date; run "node scripts/generate-wire.mjs"\n`
    )
    process.exitCode = 1
  }
} finally {
  rmSync(outDir, { recursive: true, force: true })
}
