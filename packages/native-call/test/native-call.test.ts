import { pbkdf2 } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import koffi, { type KoffiFunc } from 'koffi'
import t from 'tap'
import { callAsync } from '../src/native-call.ts'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

type Search = KoffiFunc<(bytes: Uint8Array, wanted: number, length: number) => number>
const memchr: Search = koffi.load(null).func('memchr', 'uintptr_t', ['void *', 'int', 'size_t'])

const CALLS = 128
const BYTES = 3000
const WANTED = 0x5a

/** A buffer that nobody else refers to, with what is searched for at its end. */
function temporary(): Uint8Array {
  return new Uint8Array(BYTES).fill(0x61).fill(WANTED, BYTES - 1)
}

t.test('memory that only the call has is what it reads, though it was collected for', async t => {
  // the pool is busy: the calls wait in its queue
  for (let index = 0; index < 8; index++) pbkdf2('x', 'y', 40_000, 64, 'sha512', () => undefined)
  const calls = Array.from({ length: CALLS }, () => {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    callAsync(memchr, [temporary(), WANTED, BYTES], (error, at) => resolve(error === null && Number(at) !== 0))
    return promise
  })
  for (let round = 0; round < 10; round++) {
    collectGarbage()
    for (let index = 0; index < 256; index++) new Uint8Array(BYTES).fill(0x21)
  }
  const found = await Promise.all(calls)
  t.equal(found.filter(right => right).length, CALLS)
})

t.test('a call that cannot begin says so after its caller is back', async t => {
  const order: string[] = []
  const { promise, resolve } = Promise.withResolvers<unknown>()
  const wait = koffi.load(null).func('usleep', 'int', ['uint32_t'])
  const { max_async_calls: most = 0 } = koffi.config()
  for (let index = 0; index <= most; index++) {
    callAsync(wait, [1000], error => {
      if (error === null) return
      order.push('done')
      resolve(error)
    })
  }
  order.push('back')
  t.match(await promise, /Too many asynchronous calls/)
  t.strictSame(order, ['back', 'done'])
})
