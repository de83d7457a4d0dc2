import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'

t.test('the bytes that a grammar says it takes are near those that it takes', async t => {
  const child = join(import.meta.dirname, 'heap-child.js')
  const output = execFileSync(process.execPath, ['--expose-gc', child], { encoding: 'utf8' })
  const measured: readonly { id: string; says: number; takes: number }[] = JSON.parse(output)
  t.equal(measured.length, 6)
  for (const { id, says, takes } of measured) {
    const share = says / takes
    t.ok(share > 0.6 && share < 2.5, `${id}: says ${says}, takes ${takes}, ${share.toFixed(2)} of it`)
  }
})
