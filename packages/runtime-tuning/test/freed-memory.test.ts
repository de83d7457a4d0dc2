import koffi from 'koffi'
import t from 'tap'
import { releaseFreedMemory } from '../src/freed-memory.ts'

const CHUNK_BYTES = 1024
const CHUNKS = 64 * 1024

t.test('memory that was freed goes back to the system', { skip: process.platform !== 'linux' }, async t => {
  const libc = koffi.load(null)
  const malloc = libc.func('malloc', 'uintptr_t', ['size_t'])
  const free = libc.func('free', 'void', ['uintptr_t'])
  const memset = libc.func('memset', 'uintptr_t', ['uintptr_t', 'int', 'size_t'])
  const chunks = Array.from({ length: CHUNKS }, () => malloc(CHUNK_BYTES))
  for (const chunk of chunks) memset(chunk, 1, CHUNK_BYTES)
  // the allocator gives back by itself what is free at the end of its heap: the last chunk stays
  const last = chunks.pop()
  for (const chunk of chunks) free(chunk)
  const before = process.memoryUsage.rss()
  await releaseFreedMemory()
  const returned = before - process.memoryUsage.rss()
  t.ok(returned > (CHUNKS * CHUNK_BYTES) / 2, `${returned} bytes of ${CHUNKS * CHUNK_BYTES}`)
  free(last)
})
