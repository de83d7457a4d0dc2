import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { keepPrivate } from '../src/daemon/private-files.ts'
import { bin } from './run-command.ts'

const skip = process.platform === 'win32' ? 'there are no such modes here' : false

/** Paths below a directory, itself too, that others than the owner have rights on. */
async function shared(directory: string): Promise<string[]> {
  const found: string[] = []
  const look = async (path: string): Promise<void> => {
    if (((await stat(path)).mode & 0o077) !== 0) found.push(path)
  }
  await look(directory)
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) await look(join(entry.parentPath, entry.name))
  }
  return found
}

/** A directory as an earlier version, or a careless hand, left it. */
async function looseDirectory(t: Test): Promise<string> {
  const directory = t.testdir({ 'config.json': '{}', coordinator: { blobs: { old: 'weights' } } })
  await chmod(directory, 0o755)
  await chmod(join(directory, 'coordinator'), 0o777)
  await chmod(join(directory, 'config.json'), 0o644)
  await chmod(join(directory, 'coordinator', 'blobs', 'old'), 0o664)
  return directory
}

t.test('a looser directory is tightened and said of, and links are left alone', { skip }, async t => {
  const directory = await looseDirectory(t)
  const outside = join(t.testdirName, 'outside')
  await mkdir(outside)
  await chmod(outside, 0o755)
  await symlink(outside, join(directory, 'link'))
  await chmod(outside, 0o755)
  const said: unknown[] = []
  const logger = { warn: (...args: unknown[]) => said.push(args) }
  // of what was made below it since
  await writeFile(join(outside, 'file'), 'x')
  await chmod(join(outside, 'file'), 0o644)
  await keepPrivate(join(directory, 'coordinator'), logger)
  t.strictSame(await shared(join(directory, 'coordinator')), [])
  t.equal((await stat(join(outside, 'file'))).mode & 0o777, 0o644)
  t.match(said, [[{ files: Number }, /other users could read/]])
  said.length = 0
  await keepPrivate(join(directory, 'coordinator'), logger)
  t.strictSame(said, [])
})

t.test('all that a mesh writes is for its user alone, whatever the mask', { skip }, async t => {
  const data = await looseDirectory(t)
  const before = process.umask(0)
  t.teardown(() => process.umask(before))
  const args = ['up', '--nodes=1', '--model=tiny-chat', '--http=127.0.0.1:0', `--data=${data}`, '--json']
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
  })
  const [text] = await once(createInterface({ input: child.stdout }), 'line')
  const { http } = JSON.parse(String(text))
  const form = new FormData()
  form.append('purpose', 'batch')
  form.append('file', new File(['{}'], 'in.jsonl'))
  t.equal((await fetch(`${http}/v1/files`, { method: 'POST', body: form })).status, 200)
  const names = await readdir(data, { recursive: true })
  for (const name of ['identity.key', 'store.sqlite', 'store.sqlite-wal', 'content/', 'blobs/', 'logs/']) {
    t.ok(
      names.some(path => `${path}/`.includes(name) || path.endsWith(name)),
      `${name} is there`
    )
  }
  t.strictSame(await shared(data), [])
})
