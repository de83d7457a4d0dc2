import { readdir, readFile } from 'node:fs/promises'
import { parseCpuList, usableCpus } from '@resultity/runtime-tuning'
import t from 'tap'
import { createEngine } from '../src/index.ts'
import { openTinyChat } from './tiny-chat.ts'

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
  const engine = await createEngine('capi', { tuning: true })
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

t.test('without tuning no thread is bound', { skip: cpus.length < 2 }, async t => {
  await using fixture = await openTinyChat()
  const engine = await createEngine()
  await using _stage = await engine.loadStage(fixture.init({ first: 0, end: 4 }, { threads: cpus.length }))
  t.equal((await boundThreads()).size, 0)
})
