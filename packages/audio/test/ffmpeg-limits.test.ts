import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { AudioDecoder, type AudioDecoderInit } from '../src/decoding/audio-decoder.ts'
import { fixture } from './support/fixtures.ts'

// programs that stand where ffmpeg would, and do what it must not

interface Stage {
  readonly decoder: AudioDecoder
  /** Where the program writes what the test looks at. */
  readonly notes: string
}

/** @param code of a module; `notes` is a path, `note` writes there */
function stageFor(t: Test, code: string, init: AudioDecoderInit = {}): Stage {
  const directory = t.testdir({})
  const notes = join(directory, 'notes')
  const program = join(directory, 'ffmpeg.mjs')
  const head = `import fs from 'node:fs'\nconst note = value => fs.writeFileSync(${JSON.stringify(notes)}, JSON.stringify(value))\n`
  writeFileSync(program, `#!${process.execPath}\n${head}${code}\n`, { mode: 0o755 })
  const decoder = new AudioDecoder({ ffmpeg: program, threadsMax: 1, ...init })
  t.teardown(() => decoder[Symbol.asyncDispose]())
  return { decoder, notes }
}

const m4a = fixture('tone-aac.m4a')
const second = 'Buffer.alloc(32_000, 1)'
const idle = 'setInterval(() => {}, 1000)'

/** For temporary files of these tests alone. */
const temporary = t.testdir({})
process.env.TMPDIR = temporary

function noted(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, 'utf8'))
}

/** Resolves once the program has noted something. */
async function onceNoted(path: string): Promise<Record<string, unknown>> {
  // keeps a broken build from hanging
  const signal = AbortSignal.timeout(300_000)
  while (!existsSync(path) || statSync(path).size === 0) await setTimeout(20, undefined, { signal })
  return noted(path)
}

function lives(pid: unknown): boolean {
  try {
    process.kill(Number(pid), 0)
    return true
  } catch {
    return false
  }
}

const fault = (fault: string, message: RegExp) => ({
  code: 'invalid_request',
  message,
  details: { param: 'file', fault }
})

t.test('a program is given one file as its input, and nothing else', async t => {
  const code = `note({
    bytes: fs.readFileSync('/dev/stdin').toString('hex'), again: fs.readFileSync('/dev/stdin').length,
    names: fs.readdirSync('.'), mode: (fs.statSync('.').mode & 0o777).toString(8), links: fs.fstatSync(0).nlink,
    fileMode: (fs.fstatSync(0).mode & 0o777).toString(8), variables: Object.keys(process.env), args: process.argv.slice(2),
    nice: (await import('node:os')).getPriority(), folder: process.cwd()
  })
  fs.writeSync(1, ${second})`
  const { decoder, notes } = stageFor(t, code)
  const decoded = await decoder.decode(m4a)
  t.match(decoded, { seconds: 1, container: 'mp4', codec: 'aac' })
  t.ok(decoded.samples.every(sample => sample === 257 / 32_768))
  const { bytes, args, folder, ...rest } = noted(notes)
  t.equal(dirname(String(folder)), temporary)
  t.equal(bytes, Buffer.from(m4a).toString('hex'))
  t.match(rest, { again: m4a.length, names: [], mode: '700', fileMode: '600', links: 0, nice: 10 })
  t.notOk(Object(rest.variables).includes('PATH'))
  t.notOk(existsSync(String(folder)), 'its folder is removed')
  const line = Object(args).join(' ')
  t.match(
    line,
    / -protocol_whitelist file -codec_whitelist aac,mp3float .* -f mov -i file:\/dev\/stdin -map 0:a:0 -ac 1 /
  )
})

t.test('one that writes without end is killed at the limit of seconds', async t => {
  const code = `note({ pid: process.pid })\nfor (;;) fs.writeSync(1, ${second})`
  const { decoder, notes } = stageFor(t, code, { limits: { secondsMax: 90 } })
  await t.rejects(decoder.decode(m4a), fault('too_long', /^the audio is longer than 90 seconds$/))
  t.notOk(lives(noted(notes).pid), 'it has ended')
  await t.rejects(decoder.measure(m4a), fault('too_long', /^the audio is longer than 90 seconds$/))
  t.notOk(lives(noted(notes).pid), 'it has ended')
})

t.test('as many seconds as may be are taken', async t => {
  const { decoder } = stageFor(t, `for (let at = 0; at < 90; at++) fs.writeSync(1, ${second})`, {
    limits: { secondsMax: 90 }
  })
  t.equal((await decoder.decode(m4a)).seconds, 90)
  t.equal(await decoder.measure(m4a), 90)
})

t.test('one that does not end is killed at its deadline, whatever it does about signals', async t => {
  const code = `note({ pid: process.pid })
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, () => {})
  ${idle}`
  const { decoder, notes } = stageFor(t, code, { deadlineMs: 3000 })
  await t.rejects(decoder.decode(m4a), fault('too_costly', /ffmpeg took more than 3000 ms/))
  if (existsSync(notes)) t.notOk(lives(noted(notes).pid), 'it has ended')
})

t.test('who gives up ends the program, and who waits has the next turn', async t => {
  const { decoder, notes } = stageFor(t, `note({ pid: process.pid })\n${idle}`)
  const controller = new AbortController()
  const reason = new Error('nobody waits')
  const abandoned = t.rejects(decoder.decode(m4a, { signal: controller.signal }), reason)
  const waiting = t.rejects(decoder.decode(m4a, { signal: controller.signal }), reason)
  const { pid } = await onceNoted(notes)
  controller.abort(reason)
  await Promise.all([abandoned, waiting])
  t.notOk(lives(pid), 'it has ended')
  t.equal((await decoder.decode(fixture('tone-opus.ogg'))).codec, 'opus', 'other files are decoded')
})

t.test('a decoder that is closed ends its programs', async t => {
  const { decoder, notes } = stageFor(t, `note({ pid: process.pid })\n${idle}`)
  const decoding = t.rejects(decoder.decode(m4a), { code: 'unavailable', message: /closed/ })
  const { pid } = await onceNoted(notes)
  await decoder[Symbol.asyncDispose]()
  t.notOk(lives(pid), 'it has ended')
  await decoding
})

t.test('what it says is told in part and in plain characters', async t => {
  const code = `fs.writeSync(2, 'x'.repeat(1e6) + '\\n\\u001b[31m[aac @ 0x55d0c0ffee] broken\\u0007 ' + 'y'.repeat(900) + '\\n    Last message repeated 2 times\\n\\n')
  process.exitCode = 69`
  const { decoder } = stageFor(t, code)
  const message =
    /^ffmpeg cannot decode the file, mp4 with AAC audio \(exit code 69\): \?\[31m\[aac\] broken\? y{100,200}$/
  await t.rejects(decoder.decode(m4a), fault('damaged', message))
})

t.test('its end is told', async t => {
  const ends: [string, ReturnType<typeof fault>][] = [
    ['process.exit(1)', fault('damaged', /exit code 1\): it says nothing$/)],
    ['process.exit(0)', fault('empty', /the audio has no samples/)],
    [`fs.writeSync(1, 'x')`, fault('empty', /the audio has no samples/)],
    [`process.kill(process.pid, 'SIGKILL')\n${idle}`, fault('too_costly', /SIGKILL/)],
    [`process.kill(process.pid, 'SIGSEGV')\n${idle}`, fault('damaged', /SIGSEGV/)],
    [
      `fs.writeSync(2, "Stream map '0:a:0' matches no streams.")\nprocess.exit(1)`,
      fault('no_audio_track', /matches no streams/)
    ],
    [
      `fs.writeSync(2, 'Error while opening decoder for input stream #0:0')\nprocess.exit(1)`,
      fault('unsupported', /opening decoder/)
    ]
  ]
  for (const [code, expected] of ends) await t.rejects(stageFor(t, code).decoder.decode(m4a), expected, code)
})

t.test('sound of a program that ends badly is not taken', async t => {
  const { decoder } = stageFor(t, `fs.writeSync(1, ${second})\nprocess.exitCode = 1`)
  await t.rejects(decoder.decode(m4a), fault('damaged', /exit code 1/))
})

t.test('no program of that name', async t => {
  const decoder = new AudioDecoder({ ffmpeg: join(t.testdir({}), 'none') })
  t.teardown(() => decoder[Symbol.asyncDispose]())
  const hint = /Check that .*none is an ffmpeg that this user may run/
  await t.rejects(decoder.decode(m4a), { code: 'unavailable', message: /ffmpeg does not start: .*ENOENT/, hint })
})

t.test('no file is left', async t => {
  t.strictSame(readdirSync(temporary), [])
})
