import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { findFfmpeg } from '@resultity/audio'
import { ScriptedNode } from '@resultity/test-nodes'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { type CoordinatorInit, startCoordinator } from '../src/index.ts'

const fixtures = join(import.meta.dirname, '../../..')
const searchPath = process.env.PATH
const here = await findFfmpeg({ searchPath })
const skip = here === undefined ? 'NO FFMPEG ON THIS MACHINE: nothing here shows that a coordinator uses it' : false

interface Heard {
  /** Lines of the log. */
  readonly log: readonly string[]
  hear(name: string): Promise<{ readonly status: number; readonly body: unknown }>
}

async function start(t: Test, init: Partial<CoordinatorInit>): Promise<Heard> {
  const log: string[] = []
  const lines = new Writable({
    write(chunk, _encoding, done) {
      log.push(String(chunk))
      done()
    }
  })
  const coordinator = await startCoordinator({
    dataDir: t.testdir({}),
    http: { host: '127.0.0.1', port: 0 },
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    models: [`file:${join(fixtures, 'whisper/test/fixtures/tiny-whisper')}`],
    logger: pino({ level: 'info' }, lines),
    ...init,
    // scripted nodes have no heart
    limits: { heartbeatIntervalMs: 600_000, joinSettleMs: 0, ...init.limits }
  })
  const node = await ScriptedNode.start({ onJob: () => {} })
  await node.join({ peerId: coordinator.peerId, multiaddrs: coordinator.multiaddrs() })
  t.teardown(async () => {
    await coordinator.close()
    await node.kill()
  })
  return {
    log,
    hear: async name => {
      const form = new FormData()
      form.append('file', new Blob([await readFile(join(fixtures, 'audio/test/fixtures', name))]), name)
      const response = await fetch(`${coordinator.httpUrl}/v1/audio/transcriptions`, { method: 'POST', body: form })
      return { status: response.status, body: await response.json() }
    }
  }
}

const aboutFfmpeg = ({ log }: Heard): string[] => log.filter(line => line.includes('ffmpeg'))

t.test('an ffmpeg in the search path reads what is not read otherwise', { skip }, async t => {
  const coordinator = await start(t, { ffmpeg: { searchPath } })
  // a tone, in which nobody speaks
  t.match(await coordinator.hear('tone-aac.m4a'), { status: 200, body: { text: '' } })
  const lines = aboutFfmpeg(coordinator)
  t.equal(lines.length, 1, 'it is told once')
  t.match(JSON.parse(lines[0] ?? ''), { ffmpeg: here?.file, version: here?.version })
})

t.test('without one such files are refused, and the log says so beforehand', async t => {
  for (const ffmpeg of [undefined, { setting: false as const, searchPath }, { searchPath: '' }]) {
    const coordinator = await start(t, { ...(ffmpeg && { ffmpeg }) })
    t.match(aboutFfmpeg(coordinator), [/there is no ffmpeg: m4a/])
    const { status, body } = await coordinator.hear('tone-aac.m4a')
    t.equal(status, 400)
    t.match(body, { error: { param: 'file', message: /mp4 with AAC audio.*ffmpeg is not set up here/ } })
  }
})

t.test('one that was set and does not run ends the start', async t => {
  const refused = start(t, { ffmpeg: { setting: join(fixtures, 'package.json'), searchPath } })
  await t.rejects(refused, { code: 'settings_invalid', message: /^ffmpeg: .* does not run/ })
})

t.test('recordings are as long as the operator allows', async t => {
  const coordinator = await start(t, { limits: { recordingSecondsMax: 0.25 } })
  const { status, body } = await coordinator.hear('tone-opus.ogg')
  t.equal(status, 400)
  t.match(body, { error: { param: 'file', message: /longer than 0.25 seconds/ } })
})
