import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules, stripTypeScriptTypes } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Node, parse } from 'acorn'
import t from 'tap'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Who may import whom, as docs/architecture.md draws it. Whoever a package may import, its tests may, and the tests of
 * every package {@link FOR_ALL_TESTS}.
 */
const arrows: Readonly<Record<string, readonly string[]>> = {
  interface: [],
  grammar: ['interface'],
  'native-call': [],
  'runtime-tuning': ['native-call'],
  wire: ['interface'],
  planner: ['interface'],
  'test-postgres': [],
  'test-api': [],
  'test-property': [],
  store: ['interface', 'test-postgres'],
  tokenizer: ['interface'],
  model: ['interface', 'tokenizer'],
  engine: ['interface', 'grammar', 'native-call', 'runtime-tuning', 'tokenizer', 'model', 'test-mesh'],
  mesh: ['interface', 'wire'],
  node: ['interface', 'test-mesh', 'test-nodes', 'wire', 'tokenizer', 'model', 'engine', 'mesh'],
  'api-kit': ['interface', 'store'],
  'test-nodes': ['interface', 'wire', 'mesh'],
  'test-mesh': ['interface', 'wire', 'engine', 'mesh'],
  placement: ['interface', 'test-nodes', 'wire', 'planner', 'store', 'tokenizer', 'model', 'mesh'],
  generation: ['interface', 'grammar', 'test-mesh', 'test-nodes', 'wire', 'planner', 'tokenizer', 'placement'],
  access: ['interface', 'test-nodes', 'store', 'api-kit'],
  jobs: ['interface', 'store', 'api-kit', 'placement', 'access'],
  openai: [
    'interface',
    'grammar',
    'test-api',
    'store',
    'tokenizer',
    'api-kit',
    'placement',
    'generation',
    'access',
    'jobs'
  ],
  anthropic: ['interface', 'store', 'api-kit', 'placement', 'access', 'jobs', 'openai'],
  tokens: ['interface', 'api-kit', 'placement', 'jobs', 'openai'],
  coordinator: [
    'interface',
    'runtime-tuning',
    'test-postgres',
    'test-api',
    'test-nodes',
    'wire',
    'store',
    'tokenizer',
    'model',
    'mesh',
    'api-kit',
    'placement',
    'generation',
    'access',
    'jobs',
    'openai',
    'anthropic',
    'tokens'
  ],
  simulation: [
    'interface',
    'test-mesh',
    'wire',
    'store',
    'tokenizer',
    'mesh',
    'placement',
    'generation',
    'jobs',
    'node',
    'coordinator'
  ],
  cli: ['interface', 'model', 'node', 'coordinator'],
  testkit: [
    'interface',
    'grammar',
    'native-call',
    'runtime-tuning',
    'test-postgres',
    'test-api',
    'test-nodes',
    'wire',
    'planner',
    'store',
    'tokenizer',
    'model',
    'engine',
    'mesh',
    'api-kit',
    'placement',
    'generation',
    'access',
    'jobs',
    'openai',
    'anthropic',
    'tokens',
    'node',
    'coordinator',
    'cli'
  ]
}

const FOR_ALL_TESTS = 'test-property'

const FILE_LINES_MAX = 400
const FUNCTION_LINES_MAX = 70

/** Tests declare the steps of a case in one function, so theirs are not held to the limit. */
const sources = listSources(join(root, 'packages')).filter(path => !path.includes('/src/gen/'))
const product = sources.filter(path => path.includes('/src/'))

function listSources(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter(path => /\/(src|test)\/.*\.ts$/.test(`/${path}`) && !/(^|\/)(dist|node_modules)\//.test(path))
    .map(path => join(directory, path))
}

function read(path: string): string {
  return readFileSync(path, 'utf8')
}

function named(path: string): string {
  return relative(root, path)
}

function packageOf(path: string): string {
  return named(path).split('/')[1] ?? ''
}

/** What a file imports, types and dynamic imports included. */
function importsOf(path: string): string[] {
  const text = read(path)
  const patterns = [/^(?:import|export)\s[^'"]*?from\s+'([^']+)'/gm, /^import\s+'([^']+)'/gm, /\bimport\('([^']+)'\)/g]
  return patterns.flatMap(pattern => [...text.matchAll(pattern)].flatMap(match => match[1] ?? []))
}

interface PackageFile {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

function manifestOf(directory: string): PackageFile {
  return JSON.parse(read(join(directory, 'package.json')))
}

function dependenciesOf({ dependencies, devDependencies, optionalDependencies }: PackageFile): string[] {
  return Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
}

t.test('every package is in the drawing', async t => {
  t.strictSame(readdirSync(join(root, 'packages')).toSorted(), Object.keys(arrows).toSorted())
})

t.test('imports follow the arrows, and nobody reaches past an index', async t => {
  for (const path of sources) {
    const from = packageOf(path)
    for (const specifier of importsOf(path)) {
      if (specifier.startsWith('@resultity/')) {
        const [to = '', ...deeper] = specifier.slice('@resultity/'.length).split('/')
        const forTests = to === FOR_ALL_TESTS && path.includes('/test/')
        if (!forTests && !arrows[from]?.includes(to)) t.fail(`${named(path)} imports ${to}: ${from} may not`)
        if (deeper.length > 0) t.fail(`${named(path)} reaches into ${to}: ${specifier}`)
      } else if (specifier.startsWith('.')) {
        const target = join(dirname(path), specifier)
        if (!target.startsWith(join(root, 'packages', from, '/')))
          t.fail(`${named(path)} leaves its package: ${specifier}`)
      }
    }
  }
})

t.test('files of a package do not import each other in circles, types included', async t => {
  const edges = new Map(
    product.map(path => [
      path,
      importsOf(path)
        .filter(specifier => specifier.startsWith('.'))
        .map(specifier => join(dirname(path), specifier))
    ])
  )
  for (const circle of circlesOf(edges)) t.fail(circle.map(named).join(' -> '))
})

t.test('the search for circles finds each of them', async t => {
  const edges = new Map(Object.entries({ a: ['b', 'd'], b: ['c'], c: ['a', 'd'], d: ['e'], e: ['d'], f: ['f', 'a'] }))
  t.strictSame(circlesOf(edges), [
    ['a', 'b', 'c', 'a'],
    ['d', 'e', 'd'],
    ['f', 'f']
  ])
})

/** A circle for each edge that leads back to where a walk in depth still is: none if and only if there is no circle. */
function circlesOf(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = []
  const done = new Set<string>()
  const walk = (from: string, way: readonly string[]): void => {
    const here = [...way, from]
    for (const to of edges.get(from) ?? []) {
      if (here.includes(to)) circles.push([...here.slice(here.indexOf(to)), to])
      else if (!done.has(to)) walk(to, here)
    }
    done.add(from)
  }
  for (const file of edges.keys()) if (!done.has(file)) walk(file, [])
  return circles
}

t.test('only mesh knows libp2p, only engine ONNX Runtime, and few the C library', async t => {
  for (const path of sources) {
    for (const specifier of importsOf(path)) {
      const libp2p = /^(libp2p$|@libp2p\/|@chainsafe\/libp2p|@multiformats\/)/.test(specifier)
      if (libp2p && packageOf(path) !== 'mesh') t.fail(`${named(path)} imports ${specifier}`)
      const owner = packageOf(path)
      const foreign =
        (specifier === 'onnxruntime-node' && owner !== 'engine') ||
        (specifier === 'koffi' && !['engine', 'native-call', 'runtime-tuning'].includes(owner))
      if (foreign) t.fail(`${named(path)} imports ${specifier}`)
    }
  }
})

t.test('native functions are called off the event loop in one place, which holds what they are given', async t => {
  for (const path of sources) {
    if (named(path) === 'packages/native-call/src/native-call.ts') continue
    if (/\.async\s*\(/.test(withoutComments(read(path)))) t.fail(named(path))
  }
})

t.test('what is for tests stays out of the product', async t => {
  for (const path of product) {
    if (['testkit', 'simulation'].includes(packageOf(path))) continue
    if (importsOf(path).some(specifier => specifier.startsWith('@resultity/test-'))) t.fail(named(path))
  }
})

t.test('the command prints through its output alone, which shows what a terminal would obey', async t => {
  const own = ['/cli/src/output/', '/cli/src/main.ts', '/cli/src/context.ts']
  for (const path of product.filter(path => packageOf(path) === 'cli')) {
    if (own.some(part => path.includes(part))) continue
    const text = read(path)
    if (importsOf(path).includes('picocolors')) t.fail(`${named(path)} colours by itself: use output/text.ts`)
    if (/\b(process|context)\.(stdout|stderr)\b|\bstd(out|err)\.write\b/.test(text))
      t.fail(`${named(path)} prints by itself`)
    const drawing = path.endsWith('/chat/interactive.ts') || path.endsWith('/daemon/logger.ts')
    if (/\.stream\b/.test(text) && !drawing) t.fail(`${named(path)} takes the stream of an output`)
  }
})

t.test('every package declares what it imports, and imports what it declares', async t => {
  const shared = dependenciesOf(manifestOf(root))
  for (const name of Object.keys(arrows)) {
    const directory = join(root, 'packages', name)
    const declared = dependenciesOf(manifestOf(directory))
    const files = sources.filter(path => packageOf(path) === name)
    const text = files.map(read).join('\n')
    for (const path of files) {
      for (const specifier of importsOf(path)) {
        const module = /^(@[^/]+\/[^/]+|[^/]+)/.exec(specifier)?.[0] ?? specifier
        if (/^(\.|#|node:)/.test(specifier) || builtinModules.includes(module)) continue
        if (declared.includes(module)) continue
        const forTests = path.includes('/test/') && shared.includes(module)
        if (!forTests) t.fail(`${named(path)} imports ${module}, which packages/${name}/package.json lacks`)
      }
    }
    for (const dependency of declared) {
      const typed = dependency.replace(/^@types\//, '')
      // generated code and resolved paths name a dependency without importing it
      const used = text.includes(typed) || generatedOf(name).includes(typed)
      if (!used) t.fail(`packages/${name}/package.json declares ${dependency}, and nothing uses it`)
    }
  }
})

function generatedOf(name: string): string {
  const directory = join(root, 'packages', name, 'src/gen')
  try {
    return readdirSync(directory)
      .map(file => read(join(directory, file)))
      .join('\n')
  } catch {
    // most packages have no generated code
    return ''
  }
}

t.test('docs/dependencies.md gives the reason for every dependency, and for none that is gone', async t => {
  const text = read(join(root, 'docs/dependencies.md'))
  const manifests = [root, ...Object.keys(arrows).map(name => join(root, 'packages', name))].map(manifestOf)
  const declared = new Set(manifests.flatMap(dependenciesOf).filter(name => !name.startsWith('@resultity/')))
  const listed = new Set([...text.matchAll(/^\| `([^`]+)`/gm)].flatMap(match => match[1] ?? []))
  for (const name of declared) if (!listed.has(name)) t.fail(`docs/dependencies.md lacks ${name}`)
  for (const name of listed)
    if (!declared.has(name)) t.fail(`docs/dependencies.md lists ${name}, which nobody depends on`)
})

t.test('every package says what it owns and what it does not know', async t => {
  for (const name of Object.keys(arrows)) {
    const text = read(join(root, 'packages', name, 'README.md'))
    t.match(text, /\bOwns\b/, `packages/${name}/README.md`)
    t.match(text, /\bDoes not know\b/i, `packages/${name}/README.md`)
  }
})

t.test(`no file has more than ${FILE_LINES_MAX} lines`, async t => {
  for (const path of sources) {
    const lines = read(path).split('\n').length
    if (lines > FILE_LINES_MAX) t.fail(`${named(path)} has ${lines} lines`)
  }
})

/** Pictures for what has a usual name: service, store, queue, limiter, verifier, worker, builder, sender, table. */
const PICTURES =
  /\b\w*(?:Desk|Office|Shelf|Courier|Turnstile|Ticket|Doors?|KeyRing|Wish|(?:Placement|Node)Orders|ChoiceMaker|PlacementBook)\b|\bhopeless\b|#(?:tell|lookAt)\b/

/** Names that say nothing of what is in a file. */
const EMPTY_NAMES = /\/(?:utils?|helpers?|misc|common|manager)\.ts$/

t.test('things are called what the field calls them', async t => {
  for (const path of sources) {
    const picture = PICTURES.exec(read(path))
    if (picture) t.fail(`${named(path)} has ${picture[0]}: use a word of the glossary in docs/architecture.md`)
    if (EMPTY_NAMES.test(path)) t.fail(`${named(path)}: name it after what it holds`)
  }
})

t.test(`no function has more than ${FUNCTION_LINES_MAX} lines`, async t => {
  for (const path of product) {
    for (const { name, line, lines } of functionsOf(path)) {
      if (lines > FUNCTION_LINES_MAX) t.fail(`${named(path)}:${line} ${name} has ${lines} lines`)
    }
  }
})

interface MeasuredFunction {
  readonly name: string
  readonly line: number
  readonly lines: number
}

function functionsOf(path: string): MeasuredFunction[] {
  // types become blanks, so lines stay where they are
  const program = parse(stripTypeScriptTypes(read(path)), {
    ecmaVersion: 'latest',
    sourceType: 'module',
    locations: true
  })
  const found: MeasuredFunction[] = []
  visit(program, node => {
    if (!/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type) || !node.loc) return
    const { start, end } = node.loc
    const id =
      'id' in node && node.id !== null && typeof node.id === 'object' && 'name' in node.id ? node.id.name : 'a function'
    found.push({ name: String(id), line: start.line, lines: end.line - start.line + 1 })
  })
  return found
}

function visit(value: unknown, onNode: (node: Node) => void): void {
  if (Array.isArray(value)) for (const item of value) visit(item, onNode)
  else if (isNode(value)) {
    onNode(value)
    for (const child of Object.values(value)) visit(child, onNode)
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}

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

/** Comments as blanks, so that line numbers stay. Good enough for code that a formatter has laid out. */
function withoutComments(text: string): string {
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, comment => comment.replaceAll(/[^\n]/g, ' '))
    .replaceAll(/(^|\s)\/\/.*$/gm, '$1')
}

/** Every test of a package, and those that cross packages. */
const tests = [
  ...sources.filter(path => path.includes('/test/')),
  ...readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts') && !path.startsWith('dist/'))
    .map(path => join(root, 'test', path))
]

t.test('property tests draw the same cases in every run, and as many', async t => {
  for (const path of tests) {
    if (packageOf(path) === FOR_ALL_TESTS || named(path) === 'test/tidy.test.ts') continue
    const drawn = /\bfc\.(?:assert|check|configureGlobal)\b|interruptAfterTimeLimit|Math\.random/.exec(read(path))
    if (drawn) t.fail(`${named(path)} has ${drawn[0]}: use assertProperty and testSeed of test-property`)
  }
})

t.test('a test has no time limit of its own: the one in package.json keeps a broken build from hanging', async t => {
  for (const path of tests) {
    // the whole exercise takes an hour
    if (named(path) === 'test/crash.test.ts') continue
    const limit = /^\s*(?:t\.)?test\(.*\{ timeout: .*|^\s*t\.setTimeout\(.*/m.exec(read(path))
    if (limit) t.fail(`${named(path)}: ${limit[0].trim()}`)
  }
})

t.test('a property is one assertion, not one for each case', async t => {
  for (const path of tests) {
    const text = read(path)
    if (!text.includes('fast-check')) continue
    visit(parse(stripTypeScriptTypes(text), { ecmaVersion: 'latest', sourceType: 'module' }), node => {
      const call = text.slice(node.start, node.end)
      if (node.type !== 'CallExpression' || !/^fc\.(?:async)?[pP]roperty\(/.test(call)) return
      const asserted = /\bt\.(?!test)\w+/.exec(call)
      if (asserted) t.fail(`${named(path)}: ${asserted[0]} in a property; return false or throw`)
    })
  }
})

/** The port of time and chance, and what is real whatever time it is: each with the reason. */
const REAL_TIME: Readonly<Record<string, string>> = {
  'packages/interface/src/(scheduler|system-scheduler)\\.ts': 'the port itself',
  'packages/interface/src/task-thread\\.ts': 'ends threads that are stuck',
  'packages/engine/src/':
    'measures and keeps native code, which takes real time; a simulation has an engine of its own',
  'packages/model/src/(sources/hub|blobs/file-hash)\\.ts': 'waits for other people’s servers, and keeps a thread',
  'packages/store/src/(database/sqlite-worker|jobs/postgres-(listener|transactions))\\.ts':
    'waits for a thread or a server',
  'packages/jobs/src/time-slice\\.ts': 'measures how long it has held the event loop',
  'packages/cli/src/': 'waits for processes, and shows people how long things took',
  'packages/(testkit|test-api|test-nodes)/src/': 'watches real processes',
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
  for (const path of product) {
    if (/\/(utils?|helpers?|misc|common|manager|types)\.ts$/.test(path)) t.fail(named(path))
  }
})

t.test('the environment is read where the program starts, and nowhere else', async t => {
  // it writes a variable for a library that reads it
  const exempt = 'packages/engine/src/telemetry.ts'
  for (const path of product) {
    if (named(path) === exempt || /^test/.test(packageOf(path))) continue
    if (withoutComments(read(path)).includes('process.env')) t.fail(named(path))
  }
})
