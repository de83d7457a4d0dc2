import { readFile } from 'node:fs/promises'
import { AudioDecoder } from '@resultity/audio'
import { MeshError, Turns } from '@resultity/interface'
import type { StoredFile } from '@resultity/store'
import t from 'tap'
import { measureRecording, type RecordingComponents, readRecording } from '../src/recording.ts'

const bytes = await readFile(new URL('../../../audio/test/fixtures/jfk.wav', import.meta.url))
const NAMESPACE = 'mine'
const SECONDS = 4.2

const stored: StoredFile = {
  id: 'file-1',
  namespace: NAMESPACE,
  filename: 'jfk.wav',
  purpose: 'user_data',
  contentId: 'cnt_1',
  bytes: bytes.length,
  createdAtMs: 0,
  expiresAtMs: null
}

const fileService: RecordingComponents['fileService'] = {
  findInUse: async id => {
    if (id === stored.id) return stored
    throw new MeshError('not_found', `there is no file "${id}"`)
  },
  read: async function* () {
    yield bytes
  }
}

t.test('attempts that begin in one moment read their recordings one after the other, and none is refused', async t => {
  // it takes one file, and refuses a second one
  await using audio = new AudioDecoder({ threadsMax: 1, waitingMax: 0 })
  const components = { fileService, audio, reading: new Turns(audio.atOnce) }
  const read = () => readRecording(components, { id: stored.id, namespace: NAMESPACE, rules: {} }, {})
  const recordings = await Promise.all([read(), read(), read()])
  t.strictSame(
    recordings.map(({ seconds }) => seconds),
    [SECONDS, SECONDS, SECONDS]
  )
  t.ok(recordings.every(({ pieces, spans }) => pieces.length === 1 && spans.length === 1))
})

t.test('a recording is measured as it is read, and a fault names the field', async t => {
  await using audio = new AudioDecoder({ limits: { bytesMax: bytes.length } })
  t.equal(await measureRecording({ fileService, audio }, stored.id, NAMESPACE), SECONDS)
  const signal = AbortSignal.abort(new Error('the client hung up'))
  const left = measureRecording({ fileService, audio }, stored.id, NAMESPACE, { signal })
  await t.rejects(left, { message: 'the client hung up' })
  const lost = measureRecording({ fileService, audio }, 'file-2', NAMESPACE)
  await t.rejects(lost, { code: 'invalid_request', details: { param: 'file' } })
  await using narrow = new AudioDecoder({ limits: { bytesMax: bytes.length - 1 } })
  const large = measureRecording({ fileService, audio: narrow }, stored.id, NAMESPACE)
  await t.rejects(large, { code: 'invalid_request', details: { param: 'file', reason: 'request_too_large' } })
})
