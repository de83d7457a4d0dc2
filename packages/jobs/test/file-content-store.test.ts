import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { FileContentStore } from '../src/index.ts'

const DAY_MS = 24 * 60 * 60 * 1000

async function open(t: Test) {
  const dir = t.testdir()
  return { dir, store: await FileContentStore.open(dir) }
}

async function* chunked(bytes: Uint8Array, chunkBytes = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts)
}

function files(dir: string): string[] {
  return readdirSync(join(dir, 'content'), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => entry.name)
}

const bytes = new Uint8Array(100_000).map((_, index) => (index * 31) % 251)

t.test('what was written is read, whole and in parts', async t => {
  const { dir, store } = await open(t)
  const stored = await store.write(chunked(bytes), bytes.length)
  t.match(stored, { id: /^cnt_[0-9a-f]{32}$/, bytes: bytes.length })
  t.equal(stored.sha256, createHash('sha256').update(bytes).digest('hex'))
  t.equal(await store.size(stored.id), bytes.length)
  t.ok((await collect(store.read(stored.id))).equals(bytes))
  const [name = ''] = files(dir)
  t.equal(statSync(join(dir, 'content', name.slice(4, 6), name)).mode & 0o077, 0, 'for its owner alone')
  const another = await FileContentStore.open(dir)
  t.ok((await collect(another.read(stored.id))).equals(bytes), 'by another coordinator, too')
  await assertProperty(
    fc.asyncProperty(fc.nat(bytes.length), fc.nat(2 * bytes.length), async (start, length) => {
      const part = await collect(store.read(stored.id, { start, end: start + length }))
      return part.equals(bytes.subarray(start, start + length))
    }),
    { numRuns: 30 }
  )
  for (const range of [{ start: -1 }, { start: bytes.length + 1 }, { start: 5, end: 4 }, { start: 0.5 }]) {
    await t.rejects(collect(store.read(stored.id, range)), { code: 'invalid_request' })
  }
})

t.test('nothing may be stored, and is', async t => {
  const { store } = await open(t)
  const { id } = await store.write(chunked(new Uint8Array(0)), 0)
  t.equal((await collect(store.read(id))).length, 0)
})

t.test('a stream that is too long is left at once, and nothing of it stays', async t => {
  const { dir, store } = await open(t)
  let taken = 0
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) {
      taken += 1000
      yield new Uint8Array(1000)
    }
  }
  await t.rejects(store.write(endless(), 10_500), { code: 'invalid_request', details: { bytesMax: 10_500 } })
  t.equal(taken, 11_000)
  t.strictSame(files(dir), [])
})

t.test('a stream that breaks, or that nobody wants any more, leaves nothing', async t => {
  const { dir, store } = await open(t)
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield bytes
    throw new RangeError('the client hung up')
  }
  await t.rejects(store.write(broken(), 1e9), RangeError)
  const controller = new AbortController()
  const aborted = async function* (): AsyncGenerator<Uint8Array> {
    yield bytes
    controller.abort()
    yield bytes
  }
  await t.rejects(store.write(aborted(), 1e9, { signal: controller.signal }), { code: 'canceled' })
  t.strictSame(files(dir), [])
})

t.test('names that are none of ours lead nowhere', async t => {
  const { store } = await open(t)
  const names = ['', '.', '../../etc/passwd', 'cnt_', `cnt_${'0'.repeat(32)}`, `cnt_${'0'.repeat(30)}/.`, 'cnt_\u0000']
  for (const name of names) {
    t.equal(await store.size(name), undefined)
    t.equal(await store.remove(name), false)
    await t.rejects(collect(store.read(name)), { code: 'not_found' })
  }
})

t.test('what nobody keeps goes, when it is old; and what broken writes left', async t => {
  const { dir, store } = await open(t)
  const ids: string[] = []
  for (let index = 0; index < 4; index++) ids.push((await store.write(chunked(bytes), 1e9)).id)
  const [kept = '', old = '', removed = '', fresh = ''] = ids
  t.ok(await store.remove(removed))
  t.notOk(await store.remove(removed))
  const longAgo = new Date(Date.now() - 10 * DAY_MS)
  for (const id of [kept, old]) utimesSync(join(dir, 'content', id.slice(4, 6), id), longAgo, longAgo)
  const ready = Promise.withResolvers<void>()
  const end = Promise.withResolvers<void>()
  const slow = async function* (): AsyncGenerator<Uint8Array> {
    yield bytes
    ready.resolve()
    await end.promise
  }
  const writing = store.write(slow(), 1e9)
  await ready.promise
  const asked: string[] = []
  const isKept = async (ids: readonly string[]): Promise<ReadonlySet<string>> => {
    asked.push(...ids)
    return new Set([kept])
  }
  t.equal(await store.prune(Date.now() - DAY_MS, isKept), 1)
  t.strictSame(asked.toSorted(), [kept, old].toSorted())
  t.equal(await store.size(old), undefined)
  t.equal(await store.size(fresh), bytes.length)
  end.resolve()
  t.equal((await writing).bytes, bytes.length, 'a write under way is left alone')
  // as a process that was killed leaves it
  const partial = join(dir, 'content', 'partial', 'cnt_left')
  writeFileSync(partial, bytes)
  await store.prune(0, isKept)
  t.ok(existsSync(partial), 'it may still go on')
  utimesSync(partial, longAgo, longAgo)
  await store.prune(0, isKept)
  t.notOk(existsSync(partial))
})

/** A file system of its own, of some megabytes; undefined where this user may not make one. */
function smallDisk(t: Test): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'resultity-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', directory], { stdio: 'pipe' })
  } catch (error) {
    rmSync(directory, { recursive: true })
    t.comment(`NOT SHOWN HERE: this user may not mount a small disk (${String(error).split('\n')[0]})`)
    return undefined
  }
  t.teardown(() => {
    execFileSync('umount', ['-l', directory])
    rmSync(directory, { recursive: true })
  })
  return directory
}

t.test('a full disk is an error that says so, what is there is read, and there is room again', async t => {
  const dataDir = smallDisk(t)
  if (dataDir === undefined) return
  const store = await FileContentStore.open(dataDir)
  const { id } = await store.write(chunked(bytes), bytes.length)
  const endless = (async function* () {
    for (;;) yield Buffer.alloc(64 * 1024)
  })()
  await t.rejects(store.write(endless, Number.MAX_SAFE_INTEGER), {
    code: 'resource_exhausted',
    message: /disk is full/
  })
  t.ok((await collect(store.read(id))).equals(bytes))
  t.equal((await store.write(chunked(bytes), bytes.length)).bytes, bytes.length, 'nothing of the other stayed')
})
