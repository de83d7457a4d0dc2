import { readdir, readFile } from 'node:fs/promises'
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
  fc.assert(
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

/** How many threads of this process may run on one CPU only. */
async function pinnedThreads(): Promise<number> {
  const threads = await readdir('/proc/self/task')
  const lists = threads.map(async thread => {
    const status = await readFile(`/proc/self/task/${thread}/status`, 'utf8').catch(() => '')
    return parseCpuList(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '')
  })
  return (await Promise.all(lists)).filter(list => list.length === 1).length
}

t.test('a stage that uses every CPU has its threads pinned, another has not', { skip: cpus.length < 2 }, async t => {
  await using fixture = await openTinyChat()
  const engine = await createEngine()
  const range = { first: 0, end: 4 }
  const before = await pinnedThreads()
  {
    await using stage = await engine.loadStage(fixture.init(range, { threads: cpus.length + 1 }))
    t.equal(stage.sessionsOpen, 0)
    t.equal(await pinnedThreads(), before)
  }
  await using stage = await engine.loadStage(fixture.init(range, { threads: cpus.length }))
  t.equal(stage.sessionsOpen, 0)
  t.equal(await pinnedThreads(), before + cpus.length - 1)
})
