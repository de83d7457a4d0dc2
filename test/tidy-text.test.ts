import t from 'tap'
import { functionsOf } from './tidy-code.ts'
import { named, packageOf, product, read, sources, tests, withoutComments } from './tidy-sources.ts'

const FILE_LINES_MAX = 400
const FUNCTION_LINES_MAX = 70
const PACKAGE_LINES_MAX = 7000

t.test(`no file has more than ${FILE_LINES_MAX} lines`, async t => {
  for (const path of new Set([...sources, ...tests])) {
    const lines = read(path).split('\n').length
    if (lines > FILE_LINES_MAX) t.fail(`${named(path)} has ${lines} lines`)
  }
})

/** Pictures for what has a usual name: service, store, queue, limiter, verifier, worker, builder, sender, table. */
const PICTURES =
  /\b\w*(?:Desk|Office|Shelf|Courier|Turnstile|Ticket|Doors?|KeyRing|Wish|(?:Placement|Node)Orders|ChoiceMaker|PlacementBook)\b|\bhopeless\b|#(?:tell|lookAt)\b/

t.test('things are called what the field calls them', async t => {
  for (const path of sources) {
    const picture = PICTURES.exec(read(path))
    if (picture) t.fail(`${named(path)} has ${picture[0]}: use a word of the glossary in docs/architecture.md`)
  }
})

t.test(`no package has more than ${PACKAGE_LINES_MAX} lines of src`, async t => {
  for (const [name, paths] of Map.groupBy(product, packageOf)) {
    const lines = paths.reduce((sum, path) => sum + read(path).split('\n').length - 1, 0)
    if (lines > PACKAGE_LINES_MAX) t.fail(`packages/${name} has ${lines} lines of src: part it in two`)
  }
})

t.test(`no function has more than ${FUNCTION_LINES_MAX} lines`, async t => {
  for (const path of product) {
    for (const { name, line, lines } of functionsOf(path)) {
      if (lines > FUNCTION_LINES_MAX) t.fail(`${named(path)}:${line} ${name} has ${lines} lines`)
    }
  }
})

const forbidden: readonly (readonly [string, RegExp])[] = [
  ['the type any', /(?::|\bas|<|,|\|)\s*any\b(?!\s*(?:other|of|more))/],
  ['a double cast', /\bas unknown as\b/],
  ['console', /\bconsole\./],
  ['an unfinished part', /\b(TODO|FIXME|XXX)\b/],
  ['an empty catch', /catch\s*(\([^)]*\))?\s*\{\s*\}/],
  ['a disabled check', /@ts-(ignore|expect-error|nocheck)|biome-ignore-all/]
]
for (const [what, pattern] of forbidden) {
  t.test(`no source has ${what}`, async t => {
    for (const path of product) {
      const text = read(path)
      // a catch may hold a comment alone, if that says why nothing is to be done
      const code = /unfinished|catch/.test(what) ? text : withoutComments(text)
      const at = pattern.exec(code)
      if (at) t.fail(`${named(path)}:${code.slice(0, at.index).split('\n').length}`)
    }
  })
}

/** The port of time and chance, and what is real whatever time it is: each with the reason. */
const REAL_TIME: Readonly<Record<string, string>> = {
  'packages/interface/src/(scheduler|system-scheduler)\\.ts': 'the port itself',
  'packages/(engine|onnx-runtime)/src/':
    'measures and keeps native code, which takes real time; a simulation has an engine of its own',
  'packages/sampling/src/constraint-thread\\.ts': 'ends a thread that takes too long',
  'packages/blobs/src/file-hash\\.ts': 'keeps a thread',
  'packages/store/src/(database/sqlite-worker|jobs/postgres-(listener|transactions))\\.ts':
    'waits for a thread or a server',
  'packages/jobs/src/time-slice\\.ts': 'measures how long it has held the event loop',
  'packages/cli/src/': 'waits for processes, and shows people how long things took',
  'packages/(testkit|test-attacks|test-api|test-nodes)/src/': 'watches real processes',
  'packages/test-mesh/src/virtual-process\\.ts': 'time of its own'
}

t.test('time and chance come from the scheduler that is given in', async t => {
  const real =
    /(?<!(?:[sS]cheduler|machine)\.)\b(?:set(?:Timeout|Interval)|AbortSignal\.timeout|Date\.now|performance\.now|Math\.random)\b|\bnew Date\(\)/
  const unused = new Set(Object.keys(REAL_TIME))
  for (const path of product) {
    const code = withoutComments(read(path))
    const at = real.exec(code)
    if (at === null) continue
    const exempt = Object.keys(REAL_TIME).find(pattern => new RegExp(`^${pattern}`).test(named(path)))
    if (exempt !== undefined) unused.delete(exempt)
    else t.fail(`${named(path)}:${code.slice(0, at.index).split('\n').length} has ${at[0]}: use a Scheduler`)
  }
  t.strictSame([...unused], [], 'exemptions that nothing needs')
})

t.test('no file is a drawer', async t => {
  for (const path of sources) {
    if (/\/(utils?|helpers?|misc|common|manager|types)\.ts$/.test(path)) {
      t.fail(`${named(path)}: name it after what it holds`)
    }
  }
})

t.test('the environment is read where the program starts, and nowhere else', async t => {
  // it writes a variable for a library that reads it
  const exempt = 'packages/onnx-runtime/src/telemetry.ts'
  for (const path of product) {
    if (named(path) === exempt || /^test/.test(packageOf(path))) continue
    if (withoutComments(read(path)).includes('process.env')) t.fail(named(path))
  }
})
