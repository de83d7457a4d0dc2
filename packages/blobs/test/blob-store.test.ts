import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { FileBlobStore } from '../src/blob-store.ts'

const content = new Uint8Array(300_000).map((_, index) => (index * 31) % 251)
const sha256 = createHash('sha256').update(content).digest('hex')

async function openStore(t: Test, readOnlySources: string[] = []): Promise<{ store: FileBlobStore; dir: string }> {
  const dir = t.testdir()
  return { store: await reopen(t, dir, readOnlySources), dir }
}

async function reopen(t: Test, dir: string, readOnlySources: string[] = []): Promise<FileBlobStore> {
  const store = await FileBlobStore.open(dir, { readOnlySources })
  t.teardown(() => store[Symbol.asyncDispose]())
  return store
}

const partials = (dir: string): string[] => readdirSync(join(dir, 'partial'))

t.test('what was put is found and read', async t => {
  const { store, dir } = await openStore(t)
  t.equal(await store.find(sha256), undefined)
  t.equal(await store.put(content), sha256)
  t.equal(await store.put(content), sha256, 'a second time')
  t.equal(await store.find(sha256), join(dir, 'blobs', `sha256-${sha256}`))
  t.same(await store.read(sha256), Buffer.from(content))
  t.same(partials(dir), [])
})

t.test('an empty blob is a blob', async t => {
  const { store } = await openStore(t)
  t.equal((await store.read(await store.put(new Uint8Array()))).byteLength, 0)
})

t.test('a transfer resumes where it broke off', async t => {
  const { store, dir } = await openStore(t)
  const first = await store.writer(sha256, content.byteLength)
  t.equal(first.offset, 0)
  await first.write(content.subarray(0, 1000))
  await first.release()
  t.equal(await store.find(sha256), undefined, 'a part of a blob is not visible')
  const later = await reopen(t, dir)
  const second = await later.writer(sha256, content.byteLength)
  t.equal(second.offset, 1000)
  await second.write(content.subarray(1000))
  await second.commit()
  t.same(readFileSync((await later.find(sha256)) ?? ''), Buffer.from(content))
  t.same(partials(dir), [])
})

t.test('bytes with another hash are refused and deleted', async t => {
  const { store, dir } = await openStore(t)
  const wrong = await store.writer(sha256, content.byteLength)
  await wrong.write(content.toReversed())
  await t.rejects(wrong.commit(), { code: 'hash_mismatch' })
  t.same(partials(dir), [])
  const next = await store.writer(sha256, content.byteLength)
  t.equal(next.offset, 0, 'the next attempt starts over')
  await next.release()
})

t.test('more or fewer bytes than announced are refused', async t => {
  const { store, dir } = await openStore(t)
  const short = await store.writer(sha256, content.byteLength)
  await short.write(content.subarray(1))
  await t.rejects(short.commit(), { code: 'hash_mismatch', message: /299999 bytes came, 300000 were announced/ })
  const long = await store.writer(sha256, 10)
  await t.rejects(long.write(content), { code: 'hash_mismatch' })
  t.same(partials(dir), [])
})

t.test('one writer a blob', async t => {
  const { store } = await openStore(t)
  const first = await store.writer(sha256, content.byteLength)
  await t.rejects(store.writer(sha256, content.byteLength), { code: 'resource_exhausted' })
  await first.release()
  await (await store.writer(sha256, content.byteLength)).release()
})

t.test('many readers at once, and two writers of the same bytes', async t => {
  const { store } = await openStore(t)
  const hashes = await Promise.all([store.put(content), store.put(content), store.put(content)])
  t.same(hashes, [sha256, sha256, sha256])
  const reads = await Promise.all(Array.from({ length: 20 }, () => store.read(sha256)))
  t.ok(reads.every(bytes => bytes.byteLength === content.byteLength))
})

t.test('an import that fails leaves nothing', async t => {
  const { store, dir } = await openStore(t)
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield content
    throw new Error('the source broke')
  }
  await t.rejects(store.ingest(broken()), { code: 'internal', message: 'the source broke' })
  const controller = new AbortController()
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) {
      yield content
      controller.abort()
    }
  }
  await t.rejects(store.ingest(endless(), { signal: controller.signal }), { code: 'canceled' })
  t.same(partials(dir), [])
  t.same(readdirSync(join(dir, 'blobs')), [])
})

t.test('what a killed import left is removed at the next start', async t => {
  const { dir } = await openStore(t)
  // no process has a number above the kernel's limit of 2^22
  writeFileSync(join(dir, 'partial', 'ingest-99999999-1-1'), content)
  writeFileSync(join(dir, 'partial', `ingest-${process.pid}-1-1`), content)
  writeFileSync(join(dir, 'partial', sha256), content)
  const old = join(dir, 'partial', 'f'.repeat(64))
  writeFileSync(old, content)
  utimesSync(old, 1, 1)
  await reopen(t, dir)
  t.same(partials(dir), [sha256, `ingest-${process.pid}-1-1`].sort())
})

t.test('a damaged blob is noticed, deleted and can be stored again', async t => {
  const { store, dir } = await openStore(t)
  await store.put(content)
  chmodSync(join(dir, 'blobs', `sha256-${sha256}`), 0o600)
  truncateSync(join(dir, 'blobs', `sha256-${sha256}`), 1000)
  t.equal(await store.find(sha256), undefined)
  await t.rejects(store.read(sha256), { code: 'blob_not_found', message: new RegExp(sha256) })
  t.notOk(existsSync(join(dir, 'blobs', `sha256-${sha256}`)))
  t.equal(await store.put(content), sha256)
})

t.test("another store's blobs are used in place, once verified", async t => {
  const source = await openStore(t)
  await source.store.put(content)
  const wrongHash = 'a'.repeat(64)
  writeFileSync(join(source.store.blobDirectory, `sha256-${wrongHash}`), content)
  const dir = join(source.dir, 'second')
  const store = await reopen(t, dir, [source.store.blobDirectory])
  const path = join(source.store.blobDirectory, `sha256-${sha256}`)
  const found = await Promise.all([store.find(sha256), store.find(sha256)])
  t.same(found, [path, path])
  t.equal(await store.find(wrongHash), undefined, 'a file that only claims the hash is not used')
  t.ok(existsSync(join(source.store.blobDirectory, `sha256-${wrongHash}`)), 'and is left alone: it is not ours')
  t.same(readdirSync(join(dir, 'blobs')), [])

  // untouched: the record is trusted after a restart, without reading the file
  const { files } = JSON.parse(readFileSync(join(dir, 'verified.json'), 'utf8'))
  t.equal(files.length, 1)
  t.equal(files[0][0], path)
  t.equal(await (await reopen(t, dir, [source.store.blobDirectory])).find(sha256), path)
  chmodSync(path, 0o600)
  writeFileSync(path, content.toReversed())
  utimesSync(path, 1, 1)
  t.equal(await store.find(sha256), undefined, 'a file that changed is hashed again')
})

t.test('a record file that is damaged costs time, not blobs', async t => {
  const { store, dir } = await openStore(t)
  await store.put(content)
  const good = readFileSync(join(dir, 'verified.json'), 'utf8')
  const texts = ['{', '{"a":1}', '', 'null', '[]', '{"version":2,"files":[["x",{"bytes":-1}]]}', good.replace('2', '1')]
  for (const text of texts) {
    writeFileSync(join(dir, 'verified.json'), text)
    t.ok(await (await reopen(t, dir)).find(sha256))
  }
})

t.test('a file that changed is seen, though its size and its time of modification are as they were', async t => {
  const { store, dir } = await openStore(t)
  await store.put(content)
  const path = join(dir, 'blobs', `sha256-${sha256}`)
  chmodSync(path, 0o600)
  utimesSync(path, 1000, 1000)
  t.equal(await store.find(sha256), path, 'touched, so it is hashed again')
  writeFileSync(path, content.toReversed())
  utimesSync(path, 1000, 1000)
  const damaged: string[] = []
  const later = await FileBlobStore.open(dir, { onDamaged: each => damaged.push(each) })
  t.teardown(() => later[Symbol.asyncDispose]())
  t.equal(await later.find(sha256), undefined)
  t.strictSame(damaged, [path], 'and told of')
})

t.test('another file in its place is hashed', async t => {
  const { store, dir } = await openStore(t)
  await store.put(content)
  const path = join(dir, 'blobs', `sha256-${sha256}`)
  utimesSync(path, 1000, 1000)
  t.equal(await store.find(sha256), path)
  writeFileSync(join(dir, 'other'), content.toReversed())
  utimesSync(join(dir, 'other'), 1000, 1000)
  renameSync(join(dir, 'other'), path)
  t.equal(await store.find(sha256), undefined)
})

t.test('a blob file is read-only', { skip: process.platform === 'win32' }, async t => {
  const { store, dir } = await openStore(t)
  await store.put(content)
  t.equal(statSync(join(dir, 'blobs', `sha256-${sha256}`)).mode & 0o222, 0)
  t.equal(await store.put(content), sha256, 'and is replaced by itself all the same')
  const writer = await store.writer(sha256, content.byteLength)
  await writer.write(content)
  await writer.commit()
  t.equal(statSync(join(dir, 'blobs', `sha256-${sha256}`)).mode & 0o222, 0)
})

t.test('names that are no hashes never reach the disk', async t => {
  const { store } = await openStore(t)
  for (const name of ['../../etc/passwd', '', sha256.toUpperCase(), `${sha256}0`]) {
    await t.rejects(store.find(name), { code: 'invalid_request' })
    await t.rejects(store.writer(name, 1), { code: 'invalid_request' })
  }
})

t.test('a folder that cannot be made is a typed error', async t => {
  const dir = t.testdir({ file: '' })
  await t.rejects(FileBlobStore.open(join(dir, 'file')), { code: 'unavailable', hint: /data directory/ })
})

t.test('after closing, hashing fails instead of hanging', async t => {
  const { store } = await openStore(t)
  const storing = store.put(content)
  await store[Symbol.asyncDispose]()
  await storing.catch(error => t.equal(error.code, 'unavailable'))
  await t.rejects(store.put(content), { code: 'unavailable', message: /closed/ })
})
