import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type JobStore, openDatabase, openJobStore } from '../src/index.ts'
import { submission } from './support/submissions.ts'

/** A file system of its own, of some megabytes; undefined where this user may not make one. */
function smallDisk(t: Test): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'resultity-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', directory], { stdio: 'pipe' })
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

async function fill(store: JobStore): Promise<unknown> {
  for (;;) {
    try {
      await store.submit(submission({ lane: 'filling', body: 'x'.repeat(64 * 1024) }))
    } catch (error) {
      return error
    }
  }
}

t.test('a full disk is an error that says so, and nothing stands still once there is room again', async t => {
  const dataDir = smallDisk(t)
  if (dataDir === undefined) return
  const ballast = join(dataDir, 'ballast')
  writeFileSync(ballast, 'x'.repeat(1024 * 1024))
  const database = await openDatabase({ dataDir })
  t.teardown(() => database[Symbol.asyncDispose]())
  const store = await openJobStore(database)
  const owner = { owner: 'me', leaseMs: 600_000 }
  const { job, claim } = await store.submit(submission(), owner)
  if (claim === undefined) throw new Error('it was not begun')
  t.match(await fill(store), { code: 'resource_exhausted', message: /disk is full/ })
  await t.rejects(store.append(claim, job.eventCount, [{ type: 'a', data: 'x'.repeat(3_000_000) }]), {
    code: 'resource_exhausted'
  })
  t.match(await store.get(job.id), { state: 'running' }, 'reading goes on')
  rmSync(ballast)
  t.equal(await store.append(claim, job.eventCount, [{ type: 'a', data: 1 }]), job.eventCount + 1)
  const result = { status: 200, headers: {}, body: 'done' }
  t.match(await store.finish(claim, { state: 'succeeded', result, usage: null }), { state: 'succeeded' })
  t.equal(await store.remove(job.id), true)
})
