import { availableParallelism, totalmem } from 'node:os'
import t from 'tap'
import { defaultMemoryOffer, probeHardware } from '../src/hardware.ts'

t.test('a node that is told nothing offers most of the memory that is free', async t => {
  const bytes = await defaultMemoryOffer()
  t.ok(Number.isSafeInteger(bytes), `${bytes} bytes`)
  t.ok(bytes > 0 && bytes < totalmem())
})

t.test('what a machine has is told as an advert wants it', async t => {
  const { cpuModel, gpus, ...rest } = await probeHardware(['cpu'])
  t.same(rest, {
    platform: process.platform,
    architecture: process.arch,
    cpuCores: availableParallelism(),
    memoryBytes: totalmem(),
    executionProviders: ['cpu']
  })
  t.ok(cpuModel.length > 0)
  t.ok(Array.isArray(gpus))
})
