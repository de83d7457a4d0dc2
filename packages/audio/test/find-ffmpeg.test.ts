import { writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import t, { type Test } from 'tap'
import { findFfmpeg } from '../src/ffmpeg/find-ffmpeg.ts'

/** A directory with a program that says something when it is asked. */
function directoryWith(t: Test, said: string, mode = 0o755): string {
  const directory = t.testdir({})
  const code = `process.stdout.write(process.argv[2] === '-version' ? ${JSON.stringify(said)} : '')`
  writeFileSync(join(directory, 'ffmpeg'), `#!${process.execPath}\n${code}\n`, { mode })
  return directory
}

t.test('the first one that runs is found', async t => {
  await t.test('of several directories', async t => {
    const good = directoryWith(
      t,
      'ffmpeg version 7.1-x Copyright (c) 2000-2024 the FFmpeg developers\nbuilt with gcc\n'
    )
    const file = join(good, 'ffmpeg')
    await t.test('others are broken', async t => {
      const other = directoryWith(t, 'another program')
      const searchPath = ['', '.', '/none', other, good].join(delimiter)
      t.strictSame(await findFfmpeg({ searchPath }), { file, version: '7.1-x' })
      t.equal(await findFfmpeg({ searchPath: other }), undefined)
    })
    t.strictSame(await findFfmpeg({ setting: file }), { file, version: '7.1-x' })
    t.equal(await findFfmpeg({ setting: false, searchPath: good }), undefined, 'none is wanted')
  })
})

t.test('there is none', async t => {
  t.equal(await findFfmpeg({}), undefined)
  t.equal(await findFfmpeg({ searchPath: directoryWith(t, 'ffmpeg version 7', 0o644) }), undefined, 'it is no program')
  t.equal(await findFfmpeg({ searchPath: t.testdir({ ffmpeg: {} }) }), undefined, 'a directory')
})

t.test('one that was set must run', async t => {
  const settings: [string, RegExp][] = [
    ['ffmpeg', /ffmpeg: ffmpeg is no absolute path/],
    ['/none/ffmpeg', /ffmpeg: \/none\/ffmpeg does not run: .*ENOENT/],
    [join(directoryWith(t, 'another program'), 'ffmpeg'), /it does not say its version/]
  ]
  for (const [setting, message] of settings) {
    await t.rejects(findFfmpeg({ setting }), { code: 'settings_invalid', message, hint: /absolute path/ })
  }
})

t.test('who gives up does not wait for its answer', async t => {
  const reason = new Error('nobody waits')
  const setting = join(directoryWith(t, 'ffmpeg version 7'), 'ffmpeg')
  await t.rejects(findFfmpeg({ setting }, { signal: AbortSignal.abort(reason) }), reason)
})
