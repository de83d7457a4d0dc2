import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'

const program = new URL('./collected-buffers.js', import.meta.url).pathname

t.test('what an asynchronous call of the library was given outlives the call', async t => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', program])
  const { wrongGraphs, expected, got, sums } = JSON.parse(stdout)
  t.equal(wrongGraphs, 0, 'every load read its own graph')
  t.strictSame(got, expected, 'and every run computed what it computes without a collection')
  t.ok(sums[0] > 0, 'a run gives numbers')
  t.equal(sums[1], sums[0], 'one whose session, binding and tensors were released meanwhile too')
})
