import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { holderOf, lockDirectory } from '../src/daemon/directory-lock.ts'

t.test('one daemon has a directory at a time, and the other is told which', async t => {
  const directory = join(t.testdir({}), 'new/data')
  {
    await using _first = await lockDirectory(directory)
    await t.rejects(lockDirectory(directory), {
      code: 'data_directory_locked',
      message: new RegExp(`process ${process.pid}`),
      hint: /--data DIR/
    })
  }
  await using _second = await lockDirectory(directory)
  t.pass('free again')
})

t.test('a daemon that was killed leaves no lock behind', async t => {
  const directory = t.testdir({})
  const module = new URL('../src/daemon/directory-lock.js', import.meta.url).href
  const script = `const { lockDirectory } = await import(${JSON.stringify(module)})
    globalThis.kept = await lockDirectory(${JSON.stringify(directory)})
    process.stdout.write('locked')
    process.stdin.resume()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  await t.rejects(lockDirectory(directory), { code: 'data_directory_locked', details: { pid: child.pid } })
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.ok(existsSync(join(directory, 'daemon.pid')), 'it had no time to tidy up')
  await using _lock = await lockDirectory(directory)
  t.pass('the directory is free at once')
})

t.test('asking who has a directory locks nobody out, and believes no file of one that is gone', async t => {
  const directory = t.testdir({ 'daemon.pid': '1 node\n' })
  t.equal(await holderOf(directory), undefined, 'no daemon was here')
  {
    await using _lock = await lockDirectory(directory, 'node')
    t.same(await holderOf(directory), { pid: process.pid, role: 'node' })
  }
  for (let asked = 0; asked < 20; asked++) {
    const [holders] = await Promise.all([Promise.all([holderOf(directory), holderOf(directory)]), lockAndLeave()])
    for (const holder of holders) t.ok(holder === undefined || holder.pid === process.pid)
  }
  async function lockAndLeave(): Promise<void> {
    await using _lock = await lockDirectory(directory)
  }
})

t.test('a directory that cannot be used is named', async t => {
  const file = t.testdir({ file: 'x' })
  await t.rejects(lockDirectory(join(file, 'file')), {
    code: 'settings_invalid',
    message: /--data: .*file cannot be used/
  })
})
