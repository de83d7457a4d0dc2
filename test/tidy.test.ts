import { readdirSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join } from 'node:path'
import t from 'tap'
import { arrows, FOR_ALL_TESTS } from './package-arrows.ts'
import { importsOf, named, packageOf, product, read, root, sources, withoutComments } from './tidy-sources.ts'

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

t.test('docs/architecture.md draws what the product imports', async t => {
  const [, drawing = ''] = /^## Packages\n+```\n(.*?)^```/ms.exec(read(join(root, 'docs/architecture.md'))) ?? []
  const lines = drawing.split('\n')
  for (const name of Object.keys(arrows)) {
    const [line = '', ...more] = lines.filter(text => text.startsWith(`${name} `))
    t.ok(line && more.length === 0, `${name} has one line`)
    // what is said of these in words
    if (/^(?:cli|simulation|testkit|test-.*)$/.test(name)) continue
    const [drawn = ''] = line.split(/ {2,}/).slice(-1)
    const imported = product
      .filter(path => packageOf(path) === name)
      .flatMap(path => importsOf(path))
      .flatMap(specifier => /^@resultity\/(.+)$/.exec(specifier)?.[1] ?? [])
    const expected = [...new Set(imported)].toSorted()
    t.strictSame(drawn === 'imports none of ours' ? [] : drawn.split(' ').toSorted(), expected, name)
  }
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
        (specifier === 'onnxruntime-node' && !['engine', 'onnx-runtime'].includes(owner)) ||
        (specifier === 'koffi' && !['engine', 'onnx-runtime', 'native-call', 'runtime-tuning'].includes(owner))
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
    if (['testkit', 'test-attacks', 'simulation'].includes(packageOf(path))) continue
    if (importsOf(path).some(specifier => specifier.startsWith('@resultity/test-'))) t.fail(named(path))
  }
})

t.test('values from outside are checked in one place, where no value throws', async t => {
  const allowed = 'packages/interface/src/safe-parse.ts'
  const callers = product.filter(path => /\.safeParse\(/.test(withoutComments(read(path)))).map(named)
  t.same(callers, [allowed])
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
