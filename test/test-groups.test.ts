import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t from 'tap'

const scripts = fileURLToPath(new URL('../../scripts', import.meta.url))

interface Group {
  readonly name: string
  readonly files: readonly string[]
}
type GroupsOf = (files: readonly string[], alone: readonly string[]) => Group[]

const { groupsOf }: { groupsOf: GroupsOf } = await import(pathToFileURL(join(scripts, 'test-groups.mjs')).href)

t.test('every file is in one group, of its own package', async t => {
  const ofPackage = (name: string, count: number): string[] =>
    Array.from({ length: count }, (_, index) => `packages/${name}/dist/test/${index}.test.js`)
  const files = [...ofPackage('one', 1), ...ofPackage('many', 30), 'test/dist/mesh.test.js']
  const alone = ['packages/many/dist/test/3.test.js']
  const groups = groupsOf(files, alone)
  t.same(groups.flatMap(group => group.files).toSorted(), files.toSorted())
  const sizes = groups.map(group => group.files.length)
  t.same(sizes.toSorted(), [1, 1, 1, 10, 10, 9].toSorted())
  for (const { name, files } of groups) {
    if (files.length > 1) t.ok(name.startsWith('group packages/many ') && files.every(file => file.includes('/many/')))
    else t.equal(name, files[0])
  }
})

/** Notes what happens in the process, and fails if hooks of another file run for it. */
const file = (name: string, more = ''): string => `
  import t, { test } from 'tap'
  const noted = globalThis.noted ??= []
  t.beforeEach(() => noted.push('before a test of ${name}'))
  t.teardown(() => noted.push('${name} is torn down'))
  test('notes', async t => { t.comment(JSON.stringify(noted)) })
  ${more}
`

t.test('a file of a group has hooks and a teardown of its own', async t => {
  const directory = t.testdir({
    'a.test.mjs': file('a', "t.test('fails', async t => { t.fail('in vain') })"),
    'b.test.mjs': file('b', "await Promise.resolve(); t.pass('b passes')")
  })
  const files = ['a.test.mjs', 'b.test.mjs'].map(name => join(directory, name))
  const child = spawn(
    process.execPath,
    ['--import', join(scripts, 'test-preload.mjs'), join(scripts, 'test-group.mjs')],
    {
      env: { ...process.env, RESULTITY_TEST_FILES: JSON.stringify(files) },
      stdio: ['ignore', 'pipe', 'inherit']
    }
  )
  const closed = once(child, 'close')
  const output = await text(child.stdout)
  t.same(await closed, [1, null])
  t.match(output, /^not ok 1 - \S*a\.test\.mjs/m)
  t.match(output, /^ok 2 - \S*b\.test\.mjs/m)
  t.match(output, /ok \d - b passes/)
  const noted = [...output.matchAll(/# (\[.*\])$/gm)].map(match => JSON.parse(match[1] ?? ''))
  t.same(noted, [
    ['before a test of a'],
    ['before a test of a', 'before a test of a', 'a is torn down', 'before a test of b']
  ])
})

/** What the end of `npm test` makes of a stream. */
async function summaryOf(tap: string): Promise<{ code: unknown; output: string }> {
  const child = spawn(process.execPath, [join(scripts, 'tap-summary.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  child.stdin.end(tap)
  const output = await text(child.stdout)
  const [code] = await closed
  return { code, output }
}

const group = (end: string): string => `TAP version 14
1..1
# Subtest: group packages/x 1 of 1
    # Subtest: packages/x/dist/test/a.test.js
        ok 1 - one
        ok 2 - two
        1..2
    ok 1 - packages/x/dist/test/a.test.js # time=12ms
${end}`

t.test('each file of a group has its line, and a group that dies is a failure', async t => {
  const whole = await summaryOf(group('    1..1\nok 1 - group packages/x 1 of 1 # time=20ms\n'))
  t.match(whole, {
    code: 0,
    output: /✓ packages\/x\/dist\/test\/a\.test\.js \(2 passed, 0\.0 s\)\n2 passed, 0 failed\n$/
  })
  const died = await summaryOf(group('    1..2\nnot ok 1 - group packages/x 1 of 1 # time=20ms\n'))
  t.match(died, { code: 1, output: /✗ group packages\/x 1 of 1[\s\S]*2 passed, 1 failed\n$/ })
})
