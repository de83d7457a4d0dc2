import t from 'tap'
import { RecordingsInMemory } from '../src/recordings-in-memory.ts'

/** All that has to happen by itself has. */
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

t.test('recordings that fit are held at once, others wait in order', async t => {
  const memory = new RecordingsInMemory(100)
  const order: string[] = []
  const hold = async (name: string, seconds: number): Promise<Disposable> => {
    const held = await memory.hold(seconds)
    order.push(name)
    return held
  }
  const [one, two] = await Promise.all([hold('one', 60), hold('two', 40)])
  const long = hold('long', 90)
  const short = hold('short', 10)
  await settled()
  t.strictSame(order, ['one', 'two'], 'a short one does not go before a long one')
  one[Symbol.dispose]()
  one[Symbol.dispose]()
  await settled()
  t.strictSame(order, ['one', 'two'])
  two[Symbol.dispose]()
  await Promise.all([long, short])
  t.strictSame(order, ['one', 'two', 'long', 'short'])
})

t.test('one that is longer than all is held alone', async t => {
  const memory = new RecordingsInMemory(100)
  const whole = await memory.hold(1000)
  let began = false
  const next = memory.hold(1).then(() => {
    began = true
  })
  await settled()
  t.notOk(began)
  whole[Symbol.dispose]()
  await next
})

t.test('one whose client leaves makes way', async t => {
  const memory = new RecordingsInMemory(100)
  const first = await memory.hold(80)
  const abort = new AbortController()
  const left = memory.hold(90, { signal: abort.signal })
  const behind = memory.hold(20)
  await settled()
  abort.abort(new Error('gone'))
  await t.rejects(left, { message: 'gone' })
  await behind
  first[Symbol.dispose]()
  await t.rejects(memory.hold(1, { signal: abort.signal }), { message: 'gone' })
})
