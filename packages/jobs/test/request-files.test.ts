import t from 'tap'
import { BatchBench } from './support/batch-bench.ts'

const REQUEST = `req_${'a'.repeat(32)}`
const file = { namespace: 'default', filename: 'speech.wav', expiresAfterMs: 60_000 }

async function read(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all).toString()
}

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text)
}

t.test('a file that came with a request is found by its jobs alone, and goes with the request', async t => {
  const bench = await BatchBench.open(t)
  const { fileService } = bench.components
  const received = await fileService.receive(bytes('sound'), 'default', 5)
  const { id } = await fileService.keepFor(REQUEST, received, file)
  t.equal(id, `file-${'a'.repeat(32)}`)
  await t.rejects(fileService.find(id, 'default'), { code: 'not_found' }, 'no client reads it')
  await t.rejects(fileService.findInUse(id, 'other'), { code: 'not_found' }, 'nor anybody else')
  const kept = await fileService.findInUse(id, 'default')
  t.equal(await read(fileService.read(kept)), 'sound')
  t.same((await fileService.list({ namespace: 'default', limit: 10 })).files, [])
  await fileService.removeOf(REQUEST)
  await t.rejects(fileService.findInUse(id, 'default'), { code: 'not_found' })
  await t.rejects(read(fileService.read(kept)), { code: 'not_found' }, 'its bytes are gone too')
  await fileService.removeOf(REQUEST)
})

t.test('all files of a request go with it', async t => {
  const bench = await BatchBench.open(t)
  const { fileService } = bench.components
  const ids: string[] = []
  for (const [index, text] of ['one', 'two', 'three'].entries()) {
    const received = await fileService.receive(bytes(text), 'default', 5)
    ids.push((await fileService.keepFor(REQUEST, received, file, index)).id)
  }
  t.equal(new Set(ids).size, 3)
  for (const [index, text] of ['one', 'two', 'three'].entries()) {
    t.equal(await read(fileService.read(await fileService.findInUse(ids[index] ?? '', 'default'))), text)
  }
  await fileService.removeOf(REQUEST)
  for (const id of ids) await t.rejects(fileService.findInUse(id, 'default'), { code: 'not_found' })
})

t.test('a file of a client whose name is like that of a request is no part of it', async t => {
  const bench = await BatchBench.open(t)
  const { fileService } = bench.components
  const received = await fileService.receive(bytes('mine'), 'default', 4)
  const { id } = await fileService.keep(received, { ...file, purpose: 'user_data' })
  await fileService.removeOf(id.replace('file-', 'req_'))
  t.equal((await fileService.find(id, 'default')).bytes, 4)
})
