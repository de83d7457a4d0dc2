import { once } from 'node:events'
import t from 'tap'
import { withDeadline } from '../src/deadline.ts'
import { MeshError } from '../src/errors.ts'

/** Work that ends only when it is told to. */
async function untilAborted(signal: AbortSignal): Promise<never> {
  await once(signal, 'abort')
  throw signal.reason
}

t.test('work that is done in time is its result', async t => {
  t.equal(await withDeadline('it', 60_000, async () => 'done'), 'done')
  await t.rejects(
    withDeadline('it', 60_000, async () => Promise.reject(new RangeError('no'))),
    { message: 'no' }
  )
})

t.test('work that is late is told to end, and named', async t => {
  let told: unknown
  const late = withDeadline('the first token', 1, async signal => {
    try {
      return await untilAborted(signal)
    } catch (error) {
      told = error
      throw error
    }
  })
  await t.rejects(late, { code: 'deadline_exceeded', message: 'the first token took longer than 1 ms' })
  t.match(told, { code: 'deadline_exceeded' })
})

t.test('work that ignores the signal does not hold its caller', async t => {
  await t.rejects(
    withDeadline('it', 1, () => new Promise(() => {})),
    { code: 'deadline_exceeded' }
  )
})

t.test("the caller's reason comes before the deadline, and before the work", async t => {
  const controller = new AbortController()
  const reason = new MeshError('canceled', 'the client left')
  const work = withDeadline('it', 60_000, untilAborted, { signal: controller.signal })
  controller.abort(reason)
  await t.rejects(work, reason)
  let begun = false
  const late = withDeadline(
    'it',
    60_000,
    async () => {
      begun = true
    },
    { signal: controller.signal }
  )
  await t.rejects(late, reason)
  t.notOk(begun)
})
