import t from 'tap'
import { filledMappings, packIntoHugePages } from '../src/huge-pages.ts'
import { memoryMappings, parseMappings } from '../src/mappings.ts'
import { smapsEntry } from './smaps.ts'

t.test('only large and filled memory of the process itself is moved', t => {
  const smaps = [
    smapsEntry('7f0000000000-7f0000400000 rw-p 00000000 00:00 0 ', { resident: 4096 }),
    smapsEntry('7f0000400000-7f0000800000 rw-p 00000000 00:00 0 ', { resident: 3000 }),
    smapsEntry('7f0000800000-7f0000801000 rw-p 00000000 00:00 0 ', { resident: 4 }),
    smapsEntry('7f0001000000-7f0001400000 r--p 00000000 fe:00 131 /data/blobs/weights', { resident: 4096 }),
    smapsEntry('7f0001400000-7f0001800000 r-xp 00000000 00:00 0 ', { resident: 4096 }),
    smapsEntry('7ffd00000000-7ffd00400000 rw-p 00000000 00:00 0                          [stack]', { resident: 4096 }),
    smapsEntry('55d000000000-55d000400000 rw-p 00000000 00:00 0                          [heap]', { resident: 4050 })
  ]
  const filled = filledMappings(parseMappings(smaps.join('')))
  t.same(
    filled.map(({ address, bytes }) => ({ address, bytes })),
    [
      { address: 0x7f0000000000n, bytes: 4 * 1024 * 1024 },
      { address: 0x55d000000000n, bytes: 4 * 1024 * 1024 }
    ]
  )
  t.end()
})

t.test('memory keeps its content and its size', { skip: process.platform !== 'linux' }, async t => {
  const bytes = 32 * 1024 * 1024
  const filled = Buffer.alloc(bytes, 7)
  const found = filledMappings(await memoryMappings()).reduce((sum, one) => sum + one.bytes, 0)
  t.ok(found >= bytes, 'it is among the filled mappings')
  const before = process.memoryUsage.rss()
  await packIntoHugePages()
  const grown = process.memoryUsage.rss() - before
  t.ok(grown < bytes / 2, `grew by ${grown} bytes`)
  t.ok(filled.every(byte => byte === 7))
})
