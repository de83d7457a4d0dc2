import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { blobsToDrop, type CachedBlob } from '../src/blob-cache.ts'
import { FileBlobStore } from '../src/index.ts'

const KIB = 1024

/** A blob of so many KiB, of which no two are alike. */
function blob(index: number, kib = 10): { sha256: string; bytes: Uint8Array } {
  const bytes = Buffer.alloc(kib * KIB, index)
  return { sha256: createHash('sha256').update(bytes).digest('hex'), bytes }
}

async function directory(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'resultity-cache-'))
  t.teardown(() => rm(path, { recursive: true }))
  return path
}

async function open(t: Test, dataDir: string, clock: { now: () => number }, kib = 100): Promise<FileBlobStore> {
  const store = await FileBlobStore.open(dataDir, { clock, cache: { bytesMax: kib * KIB, diskFreeBytesMin: 0 } })
  t.teardown(() => store[Symbol.asyncDispose]())
  return store
}

async function fetch(store: FileBlobStore, { sha256, bytes }: ReturnType<typeof blob>): Promise<void> {
  const writer = await store.writer(sha256, bytes.length)
  await writer.write(bytes)
  await writer.commit()
}

async function present(store: FileBlobStore, indexes: readonly number[]): Promise<number[]> {
  const found = await Promise.all(indexes.map(async index => ((await store.find(blob(index).sha256)) ? [index] : [])))
  return found.flat()
}

t.test('somebody who has a store fetch for ever does not fill the disk', async t => {
  let now = 0
  const dataDir = await directory(t)
  const store = await open(t, dataDir, { now: () => ++now })
  const indexes = Array.from({ length: 50 }, (_, index) => index)
  for (const index of indexes) {
    await fetch(store, blob(index))
    store.hold([blob(index).sha256])[Symbol.dispose]()
  }
  t.equal((await readdir(store.blobDirectory)).length, 10, 'as many as there is room for')
  t.same(await present(store, indexes), indexes.slice(40), 'the last ones')
})

t.test('what is held stays, and where only that is left a blob is refused', async t => {
  let now = 0
  const store = await open(t, await directory(t), { now: () => ++now })
  const held = [0, 1, 2, 3, 4, 5, 6, 7].map(index => blob(index))
  const holding = store.hold(held.map(({ sha256 }) => sha256))
  for (const one of held) await fetch(store, one)
  for (let index = 10; index < 20; index++) await fetch(store, blob(index))
  t.same(await present(store, [0, 1, 2, 3, 4, 5, 6, 7]), [0, 1, 2, 3, 4, 5, 6, 7])
  await t.rejects(store.writer(blob(30, 21).sha256, 21 * KIB), { code: 'resource_exhausted', hint: /--blob-cache/ })
  await t.rejects(store.makeRoom(21 * KIB), { code: 'resource_exhausted' }, 'a whole assignment at once')
  await store.makeRoom(20 * KIB)
  holding[Symbol.dispose]()
  await fetch(store, blob(30, 21))
  t.ok(await store.find(blob(30, 21).sha256), 'once it is let go it makes room')
})

t.test('two that hold one blob both let go before it may be dropped', async t => {
  let now = 0
  const store = await open(t, await directory(t), { now: () => ++now }, 20)
  await fetch(store, blob(0))
  const [first, second] = [store.hold([blob(0).sha256]), store.hold([blob(0).sha256])]
  first[Symbol.dispose]()
  first[Symbol.dispose]()
  await fetch(store, blob(1))
  await fetch(store, blob(2))
  t.same(await present(store, [0, 1, 2]), [0, 2])
  second[Symbol.dispose]()
  await fetch(store, blob(1))
  await fetch(store, blob(3))
  t.same(await present(store, [0]), [])
})

t.test('what is under way counts in full, and is not dropped', async t => {
  let now = 0
  const store = await open(t, await directory(t), { now: () => ++now }, 30)
  const coming = await store.writer(blob(0, 20).sha256, 20 * KIB)
  await coming.write(blob(0, 20).bytes.subarray(0, 5 * KIB))
  await t.rejects(store.writer(blob(1, 11).sha256, 11 * KIB), { code: 'resource_exhausted' })
  await fetch(store, blob(1, 10))
  await fetch(store, blob(2, 10))
  await coming.write(blob(0, 20).bytes.subarray(5 * KIB))
  await coming.commit()
  t.ok(await store.find(blob(0, 20).sha256))
})

t.test('what broke off goes first', async t => {
  let now = 0
  const dataDir = await directory(t)
  const store = await open(t, dataDir, { now: () => ++now }, 30)
  await fetch(store, blob(0))
  const broken = await store.writer(blob(1, 20).sha256, 20 * KIB)
  await broken.write(blob(1, 20).bytes.subarray(0, 15 * KIB))
  await broken.release()
  await fetch(store, blob(2))
  t.same(await present(store, [0, 2]), [0, 2])
  t.same(await readdir(join(dataDir, 'partial')), [])
})

t.test('the disk is not filled, whatever the limit', async t => {
  const store = await FileBlobStore.open(await directory(t), {
    cache: { bytesMax: Number.MAX_SAFE_INTEGER, diskFreeBytesMin: Number.MAX_SAFE_INTEGER / 2 }
  })
  t.teardown(() => store[Symbol.asyncDispose]())
  await t.rejects(store.writer(blob(0).sha256, 1), { code: 'resource_exhausted' })
})

t.test('the order of use outlives a restart', async t => {
  let now = 0
  const dataDir = await directory(t)
  const clock = { now: () => ++now }
  const before = await open(t, dataDir, clock, 30)
  for (const index of [0, 1, 2]) await fetch(before, blob(index))
  for (const index of [2, 0, 1]) before.hold([blob(index).sha256])[Symbol.dispose]()
  // in turn with what writes the order
  await before.makeRoom(0)
  const after = await open(t, dataDir, clock, 30)
  await fetch(after, blob(3))
  t.same(await present(after, [0, 1, 2, 3]), [0, 1, 3])
})

t.test('what is dropped is enough, the oldest, and no more than that needs', async () => {
  const entry = fc.record({
    path: fc.uuid(),
    bytes: fc.nat(100),
    lastUsedMs: fc.nat(1000),
    partial: fc.boolean()
  })
  const holds = fc.property(fc.array(entry, { maxLength: 20 }), fc.integer({ min: -50, max: 1000 }), (blobs, bytes) => {
    const sum = (some: readonly CachedBlob[]): number => some.reduce((total, one) => total + one.bytes, 0)
    const dropped = blobsToDrop(blobs, bytes)
    if (dropped === undefined) return sum(blobs) < bytes
    if (sum(dropped) < bytes || (dropped.length > 0 && sum(dropped.slice(0, -1)) >= bytes)) return false
    const kept = blobs.filter(one => !dropped.includes(one))
    const older = (a: CachedBlob, b: CachedBlob): boolean =>
      a.partial === b.partial ? a.lastUsedMs <= b.lastUsedMs : a.partial
    return dropped.every(gone => kept.every(stays => older(gone, stays)))
  })
  assertProperty(holds, { numRuns: 300 })
})
