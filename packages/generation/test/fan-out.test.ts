import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { fanOut } from '../src/node-jobs/fan-out.ts'

const unchanged = () => () => {}

async function all<T>(results: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const result of results) list.push(result)
  return list
}

/** Parts that end when they are told to. */
function heldWork() {
  const parts = new Map<number, PromiseWithResolvers<number>>()
  const signals: AbortSignal[] = []
  const work = (index: number, signal: AbortSignal): Promise<number> => {
    const held = Promise.withResolvers<number>()
    parts.set(index, held)
    signals.push(signal)
    signal.addEventListener('abort', () => held.reject(signal.reason), { once: true })
    return held.promise
  }
  return { parts, signals, work }
}
/** All that has to happen by itself has. */
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

t.test('results come in order, whichever part ends first', async () => {
  await assertProperty(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 12 }),
      fc.integer({ min: 1, max: 4 }),
      async (turns, atOnce) => {
        let running = 0
        let most = 0
        const work = async (index: number): Promise<number> => {
          most = Math.max(most, ++running)
          for (let turn = 0; turn < (turns[index] ?? 0); turn++) await settled()
          running--
          return index
        }
        const results = await all(fanOut({ count: turns.length, atOnce: () => atOnce, onChange: unchanged }, work))
        return results.every((result, index) => result === index) && results.length === turns.length && most <= atOnce
      }
    ),
    { numRuns: 40 }
  )
})

t.test('one part is at work even where there is no room, and more once there is', async t => {
  const { parts, work } = heldWork()
  let atOnce = 0
  let changed = (): void => {}
  const onChange = (listener: () => void) => {
    changed = listener
    return () => {}
  }
  const results = all(fanOut({ count: 4, atOnce: () => atOnce, onChange }, work))
  await settled()
  t.strictSame([...parts.keys()], [0])
  atOnce = 3
  changed()
  t.strictSame([...parts.keys()], [0, 1, 2])
  for (const [index, { resolve }] of parts) resolve(10 * index)
  await settled()
  parts.get(3)?.resolve(30)
  t.strictSame(await results, [0, 10, 20, 30])
})

t.test('the first failure ends the others, and is told', async t => {
  const { parts, signals, work } = heldWork()
  const results = all(fanOut({ count: 9, atOnce: () => 3, onChange: unchanged }, work))
  await settled()
  parts.get(2)?.reject(new Error('lost'))
  await t.rejects(results, { message: 'lost' })
  t.ok(signals.every(({ aborted }) => aborted))
  t.equal(parts.size, 3, 'nothing is begun any more')
})

t.test('whoever leaves the loop, or aborts, ends the work', async t => {
  const { parts, signals, work } = heldWork()
  const results = fanOut({ count: 9, atOnce: () => 2, onChange: unchanged }, work)
  const first = results.next()
  await settled()
  parts.get(0)?.resolve(0)
  await first
  await results.return(undefined)
  t.ok(signals.every(({ aborted }) => aborted))

  const abort = new AbortController()
  const other = heldWork()
  const aborted = all(fanOut({ count: 2, atOnce: () => 2, onChange: unchanged, signal: abort.signal }, other.work))
  await settled()
  abort.abort(new Error('gone'))
  await t.rejects(aborted, { message: 'gone' })
})

t.test('work without parts has no results', async t => {
  t.strictSame(await all(fanOut({ count: 0, atOnce: () => 1, onChange: unchanged }, async () => 1)), [])
})
