import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const root = fileURLToPath(new URL('../..', import.meta.url))
const script = join(root, 'scripts/draw-comments.mjs')
const run = promisify(execFile)

async function draw(...args: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await run(process.execPath, [script, ...args])
  return stdout.split('\n')
}

const PLACE = /^(?:packages|docs|README\.md|\.github)[^\s:]*:\d+$/

t.test('a seed draws the same ten comments and ten paragraphs, and another seed others', async t => {
  const [first, again, other] = await Promise.all([draw('--seed', '1'), draw('--seed', '1'), draw('--seed', '2')])
  t.same(again, first)
  t.not(other.join('\n'), first.join('\n'))
  const places = first.filter(line => PLACE.test(line))
  t.equal(places.length, 20)
  t.equal(new Set(places).size, 20, 'none twice')
  t.equal(places.filter(place => /\/src\/.*\.ts:/.test(place)).length, 10)
})

t.test('the number and the packages can be chosen', async t => {
  const lines = await draw('--seed', '1', '--count', '3', '--packages', 'wire,mesh')
  const comments = lines.filter(line => /^packages\/.*\.ts:\d+$/.test(line))
  t.equal(comments.length, 3)
  t.ok(comments.every(place => /^packages\/(?:wire|mesh)\/src\//.test(place)))
})

t.test('a wrong option ends with 2 and says how it is used', async t => {
  await t.rejects(draw('--seed', 'x'), { code: 2, stderr: /--seed is "x", not a whole number[\s\S]*Usage:/ })
  await t.rejects(draw('--packages', 'nope'), { code: 2, stderr: /nope[\s\S]*Usage:/ })
  await t.rejects(draw('--sed', '1'), { code: 2, stderr: /Usage:/ })
})
