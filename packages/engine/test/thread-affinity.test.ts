import { readdir, readFile } from 'node:fs/promises'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { createEngine } from '../src/index.ts'
import { parseCpuList, threadAffinities, usableCpus } from '../src/thread-affinity.ts'
import { openTinyChat } from './tiny-chat.ts'

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

const cpus = usableCpus()

/** Of the threads of this process that may run on one CPU only, how many have each. */
async function boundThreads(): Promise<Map<number, number>> {
  const bound = new Map<number, number>()
  for (const thread of await readdir('/proc/self/task')) {
    const status = await readFile(`/proc/self/task/${thread}/status`, 'utf8').catch(() => '')
    const [cpu, ...others] = parseCpuList(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '')
    if (cpu !== undefined && others.length === 0) bound.set(cpu, (bound.get(cpu) ?? 0) + 1)
  }
  return bound
}

t.test('threads are bound where a stage uses every CPU, else not', { skip: cpus.length < 2 }, async t => {
  await using fixture = await openTinyChat()
  const engine = await createEngine()
  const load = (threads: number) => engine.loadStage(fixture.init({ first: 0, end: 4 }, { threads }))
  const [first = 0, ...others] = cpus
  {
    await using _free = await load(cpus.length + 1)
    t.equal((await boundThreads()).size, 0)
  }
  {
    await using stage = await load(cpus.length)
    const bound = await boundThreads()
    t.same(
      others.map(cpu => bound.get(cpu)),
      others.map(() => 1)
    )
    t.ok((bound.get(first) ?? 0) > 0, 'the threads that call the runtime have the first CPU')
    {
      await using _free = await load(cpus.length + 1)
      t.notOk((await boundThreads()).has(first), 'they are free beside a stage whose threads are')
    }
    t.equal((await boundThreads()).get(first), bound.get(first))
    {
      using _one = stage.open({ positionsMax: 8 })
      t.equal((await boundThreads()).get(first), bound.get(first))
      using _other = stage.open({ positionsMax: 8 })
      t.notOk((await boundThreads()).has(first), 'they are free while several sessions are open')
    }
    t.equal((await boundThreads()).get(first), bound.get(first))
    {
      await using second = await load(cpus.length)
      using _one = stage.open({ positionsMax: 8 })
      t.equal((await boundThreads()).get(first), bound.get(first), 'two stages have them held')
      using _other = second.open({ positionsMax: 8 })
      t.notOk((await boundThreads()).has(first), 'until each has a session')
    }
    t.equal((await boundThreads()).get(first), bound.get(first))
  }
  t.equal((await boundThreads()).size, 0, 'they are free again without a stage')
})
