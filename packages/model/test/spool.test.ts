import { copyFileSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { WrittenFile } from '@resultity/formats'
import t from 'tap'
import { Spool } from '../src/remote/spool.ts'

const SYNC_BYTES = 1000

t.test('what the next spool keeps was on the disk for certain, however the bytes came', async t => {
  let synced = 0
  const { sync } = WrittenFile.prototype
  t.intercept(WrittenFile.prototype, 'sync', {
    value: async function (this: WrittenFile) {
      await sync.call(this)
      synced = this.bytes
    }
  })
  const directory = t.testdir()
  const extents = [{ file: 'a', offset: 500, bytes: 4321 }]
  await using spool = await Spool.open({ path: join(directory, '1.spool'), extents }, SYNC_BYTES)
  for (const length of [999, 1, 1700, 350, 1, 1, 948, 1, 320]) {
    await spool.append(new Uint8Array(length))
    const onDisk = synced
    const path = join(directory, 'next.spool')
    copyFileSync(spool.content.path, path)
    await using next = await Spool.open({ path, extents }, SYNC_BYTES)
    t.ok(next.bytes <= onDisk, `${next.bytes} bytes are kept, ${onDisk} were on the disk`)
    t.ok(spool.bytes - next.bytes <= SYNC_BYTES, 'and no more is lost than has to be')
    t.strictSame(next.rest(), [{ file: 'a', offset: 500 + next.bytes, bytes: 4321 - next.bytes }])
  }
  t.equal(spool.bytes, spool.bytesTotal, 'one that was filled is not believed either')
})

t.test('a file that is longer than what is wanted is of something else', async t => {
  const path = join(t.testdir({ '1.spool': '' }), '1.spool')
  truncateSync(path, 5000)
  await using spool = await Spool.open({ path, extents: [{ file: 'a', offset: 0, bytes: 4000 }] }, SYNC_BYTES)
  t.equal(spool.bytes, 0)
  t.equal(statSync(path).size, 0)
})
