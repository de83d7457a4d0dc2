import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { AudioDecoder, EncodingThread, findFfmpeg, type SoundWriter } from '../src/index.ts'
import { levelOf } from './support/tone.ts'

const ffmpeg = await findFfmpeg({ searchPath: process.env.PATH })
const skip =
  ffmpeg === undefined ? 'NO FFMPEG ON THIS MACHINE: nothing here shows that it writes AAC (install ffmpeg)' : false

const run = promisify(execFile)
const RATE = 22_050
const tone = Int16Array.from({ length: 2 * RATE }, (_, at) => 16_000 * Math.sin((2 * Math.PI * 440 * at) / RATE))

/** A program that stands where ffmpeg would. */
function threadWith(t: Test, code: string): EncodingThread {
  const program = join(t.testdir({}), 'ffmpeg.mjs')
  writeFileSync(program, `#!${process.execPath}\n${code}\n`, { mode: 0o755 })
  const thread = new EncodingThread({ ffmpeg: program })
  t.teardown(() => thread[Symbol.asyncDispose]())
  return thread
}

const writeAll = async (writer: SoundWriter): Promise<Buffer> =>
  Buffer.concat([
    await writer.write(tone.subarray(0, 9000)),
    await writer.write(tone.subarray(9000)),
    await writer.finish()
  ])

t.test('ffmpeg writes AAC as it comes, which is heard as it was', { skip }, async t => {
  const file = ffmpeg?.file ?? false
  await using thread = new EncodingThread({ ffmpeg: file })
  await using decoder = new AudioDecoder({ ffmpeg: file })
  t.ok(thread.writes('aac'))
  using writer = thread.open('aac', RATE)
  const bytes = await writeAll(writer)
  t.equal(bytes.readUInt16BE(0) & 0xfff6, 0xfff0, 'the head of an ADTS frame')
  const { samples, seconds, codec } = await decoder.decode(new Uint8Array(bytes))
  t.equal(codec, 'aac')
  t.ok(Math.abs(seconds - 2) < 0.15, `${seconds} s`)
  const inside = samples.subarray(8000, 24_000)
  t.ok(levelOf(inside, 440) > 0.4)
  t.ok(levelOf(inside, 1000) < 0.01)
})

t.test('without ffmpeg AAC is not written', async t => {
  await using thread = new EncodingThread()
  t.notOk(thread.writes('aac'))
  t.ok(thread.writes('mp3'))
  t.throws(() => thread.open('aac', RATE), { code: 'unavailable', message: /ffmpeg/ })
})

t.test('a program that fails says why', async t => {
  using writer = threadWith(t, `console.error('no such encoder'); process.exit(3)`).open('aac', RATE)
  await t.rejects(writeAll(writer), { code: 'unavailable', message: /exit code 3.*no such encoder/ })
  using none = new EncodingThread({ ffmpeg: join(t.testdir({}), 'none') }).open('aac', RATE)
  await t.rejects(writeAll(none), { code: 'unavailable', message: /does not start/ })
})

t.test('where no file can be opened any more, that is said', async t => {
  const child = fileURLToPath(new URL('./support/no-descriptors.js', import.meta.url))
  const { stdout } = await run('/bin/sh', ['-c', 'ulimit -n 128; exec "$0" "$1"', process.execPath, child])
  t.match(stdout, /^unavailable: .*ffmpeg does not start: this process has no file descriptors left/)
})

t.test('an abort and a disposal end the program', async t => {
  const thread = threadWith(t, `process.stdin.resume(); setInterval(() => {}, 1000)`)
  const controller = new AbortController()
  const reason = new Error('nobody listens')
  using writer = thread.open('aac', RATE, { signal: controller.signal })
  const end = writeAll(writer)
  controller.abort(reason)
  await t.rejects(end, reason)
  const left = thread.open('aac', RATE)
  const rest = left.finish()
  left[Symbol.dispose]()
  await t.rejects(rest, { code: 'unavailable', message: /SIGKILL/ })
})

t.test('a program has no environment', async t => {
  process.env.RESULTITY_TEST_SECRET = 'secret'
  const thread = threadWith(
    t,
    `process.stdin.resume().on('end', () => process.stdout.write(JSON.stringify(process.env)))`
  )
  using writer = thread.open('aac', RATE)
  t.notMatch((await writeAll(writer)).toString(), /secret|PATH/)
})
