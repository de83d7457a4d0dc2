import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { parseCpuList, threadAffinities } from '../src/thread-affinity.ts'

t.test('lists of CPUs are read as the kernel writes them', t => {
  t.same(parseCpuList('0'), [0])
  t.same(parseCpuList('0-2,7,9-10'), [0, 1, 2, 7, 9, 10])
  t.same(parseCpuList(''), [])
  t.same(parseCpuList('none'), [])
  t.end()
})

t.test('each thread has a CPU of its own where there are just as many, else none has', t => {
  t.equal(threadAffinities(4, [0, 2, 4, 6]), '3;5;7')
  const cpus = fc.uniqueArray(fc.nat(127), { maxLength: 32 })
  assertProperty(
    fc.property(fc.integer({ min: 1, max: 32 }), cpus, (threads, cpus) => {
      const pinned = threadAffinities(threads, cpus)
      if (threads < 2 || threads !== cpus.length) return pinned === undefined
      const numbers = pinned?.split(';').map(Number) ?? []
      return numbers.length === threads - 1 && numbers.every((number, index) => number - 1 === cpus[index + 1])
    })
  )
  t.end()
})
