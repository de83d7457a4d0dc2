import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFfmpeg } from '@resultity/audio'
import { MeshError, type SynthesisJob, toSynthesisResult } from '@resultity/interface'
import { eventually, openAiErrors } from '@resultity/test-api'
import { type ScriptedJob, TINY_SAMPLE_RATE, tinyKokoro, tinyVoice } from '@resultity/test-nodes'
import t, { type Test } from 'tap'
import type { CoordinatorInit } from '../src/index.ts'
import { answering, bodyOf, type JobMesh, startJobMesh } from './support/job-mesh.ts'

interface Mesh extends JobMesh {
  post(body: unknown, options?: RequestInit & { query?: string }): Promise<Response>
}

const jobOf = (job: ScriptedJob): SynthesisJob => bodyOf(job)

/** Says each phoneme as one sample. */
const answer = answering(job => {
  const samples = Float32Array.from(jobOf(job).phonemeIds, id => id / 128)
  return toSynthesisResult(samples, TINY_SAMPLE_RATE)
})

const voices = await mkdtemp(join(tmpdir(), 'resultity-voices-'))
t.teardown(() => rm(voices, { recursive: true, force: true }))
for (const [name, speakers] of [
  ['tiny-voice', false],
  ['tiny-choir', true]
] as const) {
  const folder = join(voices, name)
  const { onnx, json } = tinyVoice({ speakers })
  await mkdir(folder)
  await writeFile(join(folder, `${name}.onnx`), onnx)
  await writeFile(join(folder, `${name}.onnx.json`), json)
  await writeFile(join(folder, 'MODEL_CARD'), 'License: CC0\n')
}
const kokoro = tinyKokoro()
await mkdir(join(voices, 'tiny-kokoro/voices'), { recursive: true })
await writeFile(join(voices, 'tiny-kokoro/model.onnx'), kokoro.onnx)
await writeFile(join(voices, 'tiny-kokoro/vocab.json'), kokoro.vocabulary)
await writeFile(join(voices, 'tiny-kokoro/MODEL_CARD'), 'License: Apache-2.0\n')
for (const [name, table] of Object.entries(kokoro.voices)) {
  await writeFile(join(voices, `tiny-kokoro/voices/${name}.bin`), table)
}

async function startMesh(t: Test, nodeCount: number, init: Partial<CoordinatorInit> = {}): Promise<Mesh> {
  const folders = ['tiny-voice', 'tiny-choir', 'tiny-kokoro'].map(name => `file:${join(voices, name)}`)
  const models = [...folders, 'tiny-chat']
  const mesh = await startJobMesh(t, nodeCount, answer, { models, ...init })
  return Object.assign(mesh, {
    post: (body: unknown, { query = '', ...options }: RequestInit & { query?: string } = {}) =>
      fetch(`${mesh.url}/v1/audio/speech${query}`, {
        method: 'POST',
        body: JSON.stringify(body),
        ...options,
        headers: { 'content-type': 'application/json', ...options.headers }
      })
  })
}

const jobCount = (count: number) =>
  eventually(
    'jobs come',
    async () => mesh.jobs.length,
    length => length === count
  )
const twoJobs = () => jobCount(2)

const VOICE = { model: 'tiny-voice', voice: 'alloy' }

const mesh = await startMesh(t, 1)
t.beforeEach(() => mesh.reset())

const begins: Readonly<Record<string, readonly [type: string, bytes: string]>> = {
  mp3: ['audio/mpeg', '\xff'],
  opus: ['audio/ogg', 'OggS'],
  flac: ['audio/flac', 'fLaC'],
  wav: ['audio/wav', 'RIFF'],
  pcm: ['audio/pcm', '']
}

for (const [format, [type, bytes]] of Object.entries(begins)) {
  t.test(`a text is said as ${format}`, async t => {
    const response = await mesh.post({ ...VOICE, input: 'Hello, world! How are you?', response_format: format })
    t.equal(response.status, 200)
    t.equal(response.headers.get('content-type'), type)
    t.equal(response.headers.get('x-resultity-voice'), 'tiny-voice', "OpenAI's names are the model's own voice")
    t.equal(response.headers.get('x-resultity-route'), `${mesh.nodes[0]?.peerId}[0,1)`)
    const file = Buffer.from(await response.arrayBuffer())
    t.equal(file.toString('latin1', 0, bytes.length), bytes)
    t.equal(mesh.jobs.length, 2, 'a job for each sentence')
  })
}

t.test('samples are those of the nodes, sentence by sentence, with a pause between', async t => {
  mesh.script = async job => {
    // the first is the last to be done
    if (job === mesh.jobs[0]) await twoJobs()
    await answer(job)
  }
  const response = await mesh.post({ ...VOICE, input: 'One. Two.', response_format: 'wav' })
  const file = Buffer.from(await response.arrayBuffer())
  const [first, second] = mesh.jobs.map(job => Array.from(jobOf(job).phonemeIds, id => Math.round((id / 128) * 32_767)))
  const said = Array.from({ length: (file.length - 44) / 2 }, (_, at) => file.readInt16LE(44 + 2 * at))
  const pause = Array.from({ length: 0.2 * TINY_SAMPLE_RATE }, () => 0)
  t.strictSame(said, [...(first ?? []), ...pause, ...(second ?? [])])
})

const searchPath = process.env.PATH
const skip =
  (await findFfmpeg({ searchPath })) === undefined
    ? 'NO FFMPEG ON THIS MACHINE: nothing here shows that speech is written as AAC'
    : false

t.test('a text is said as aac where there is an ffmpeg', { skip }, async t => {
  const one = await startMesh(t, 1, { ffmpeg: { searchPath } })
  const response = await one.post({ ...VOICE, input: 'Hello, world! How are you?', response_format: 'aac' })
  t.equal(response.status, 200)
  t.equal(response.headers.get('content-type'), 'audio/aac')
  const file = Buffer.from(await response.arrayBuffer())
  t.equal(file.readUInt16BE(0) & 0xfff6, 0xfff0, 'the head of an ADTS frame')
})

t.test('speed is length, and voices are speakers', async t => {
  await (await mesh.post({ ...VOICE, input: 'Hello', speed: 2 })).arrayBuffer()
  const choir = { model: 'tiny-choir', input: 'Hello', voice: { id: 'cleo' }, speed: 0.25 }
  t.equal((await mesh.post(choir)).headers.get('x-resultity-voice'), 'cleo')
  await (await mesh.post({ model: 'tiny-choir', input: 'Hello' })).arrayBuffer()
  t.strictSame(
    mesh.jobs.map(jobOf).map(({ lengthScale, speaker }) => [lengthScale, speaker]),
    [
      [0.5, undefined],
      [4, 2],
      [1, 0]
    ]
  )
})

t.test('speakers of Kokoro are told by number, with the sounds of their accent', async t => {
  mesh.script = answering(job => toSynthesisResult(new Float32Array(jobOf(job).phonemeIds.length), 24_000))
  const asked = { model: 'tiny-kokoro', input: 'Hello.', response_format: 'wav' }
  for (const voice of ['alloy', 'af_anna', 'bm_ben']) {
    const response = await mesh.post({ ...asked, voice })
    t.equal(response.headers.get('x-resultity-voice'), voice === 'alloy' ? 'af_heart' : voice)
    t.equal(Buffer.from(await response.arrayBuffer()).readUInt32LE(24), 24_000, 'the rate in the file')
  }
  const [heart, anna, ben] = mesh.jobs.map(jobOf)
  t.strictSame([heart?.speaker, anna?.speaker, ben?.speaker], [0, 1, 2])
  t.strictSame(heart?.phonemeIds, anna?.phonemeIds)
  t.not(String(ben?.phonemeIds), String(anna?.phonemeIds))
  const foreign = await mesh.post({ ...asked, voice: 'jf_alpha' })
  t.match(await foreign.json(), { error: { param: 'voice', message: /no voice "jf_alpha".*"bm_ben"/ } })
})

t.test('events carry the same file', async t => {
  const asked = { ...VOICE, input: 'Hello there. Good morning.', response_format: 'pcm' }
  const plain = Buffer.from(await (await mesh.post(asked)).arrayBuffer())
  const response = await mesh.post({ ...asked, stream_format: 'sse' })
  t.match(response.headers.get('content-type'), /^text\/event-stream/)
  const text = await response.text()
  const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? ''))
  const done = events.pop()
  t.strictSame(done, {
    type: 'speech.audio.done',
    usage: { input_tokens: 26, output_tokens: 1, total_tokens: 27 }
  })
  t.same(openAiErrors('SpeechAudioDoneEvent', done), [])
  t.same(openAiErrors('SpeechAudioDeltaEvent', events[0]), [])
  t.ok(events.length > 1 && events.every(({ type }) => type === 'speech.audio.delta'))
  t.ok(Buffer.concat(events.map(({ audio }) => Buffer.from(audio, 'base64'))).equals(plain))
})

t.test('voices are listed with language, licence and rate', async t => {
  const { data } = await (await fetch(`${mesh.url}/v1/audio/voices`)).json()
  const common = { object: 'audio.voice', language: 'en_US', license: 'CC0', sample_rate: TINY_SAMPLE_RATE }
  const ofKokoro = { license: 'Apache-2.0', sample_rate: 24_000 }
  t.strictSame(
    data,
    [
      { name: 'tiny-voice', model: 'tiny-voice', default: true },
      { name: 'anna', model: 'tiny-choir', default: true },
      { name: 'ben', model: 'tiny-choir', default: false },
      { name: 'cleo', model: 'tiny-choir', default: false },
      { ...ofKokoro, name: 'af_heart', model: 'tiny-kokoro', default: true },
      { ...ofKokoro, name: 'af_anna', model: 'tiny-kokoro', default: false },
      { ...ofKokoro, name: 'bm_ben', model: 'tiny-kokoro', default: false, language: 'en_GB' }
    ].map(voice => ({ id: voice.name, ...common, ...voice }))
  )
})

t.test('what is wrong with a request is said, naming the field, before any node hears of it', async t => {
  const cases: Record<string, [object, number, string | null, RegExp?]> = {
    'no input': [{ input: undefined }, 400, 'input'],
    'an empty input': [{ input: '' }, 400, 'input'],
    'a long input': [{ input: 'a'.repeat(4097) }, 400, 'input'],
    'a list': [{ input: ['a'] }, 400, 'input'],
    'nothing that is said': [{ input: '你好 …' }, 400, 'input', /English \(你 好\)/],
    'an unknown voice': [{ voice: 'bob' }, 400, 'voice', /"bob".*"tiny-voice"/],
    'a voice that is no name': [{ voice: 5 }, 400, 'voice'],
    'a voice without id': [{ voice: {} }, 400, 'voice'],
    instructions: [{ instructions: 'Whisper it.' }, 400, 'instructions', /change the sound/],
    aac: [{ response_format: 'aac' }, 400, 'response_format', /has no ffmpeg/],
    'another format': [{ response_format: 'midi' }, 400, 'response_format'],
    'too slow': [{ speed: 0.2 }, 400, 'speed'],
    'too fast': [{ speed: 4.1 }, 400, 'speed'],
    'another stream': [{ stream_format: 'rtp' }, 400, 'stream_format'],
    'a model that is not served': [{ model: 'tts-1' }, 404, 'model'],
    'a model that generates text': [{ model: 'tiny-chat' }, 400, 'model', /"tiny-voice"/],
    'no model among two': [{ model: undefined }, 404, 'model']
  }
  for (const [name, [fields, status, param, message = /./]] of Object.entries(cases)) {
    const response = await mesh.post({ ...VOICE, input: 'Hello', ...fields })
    const body = await response.json()
    t.equal(response.status, status, name)
    t.match(body, { error: { param, message, type: 'invalid_request_error' } }, name)
    t.same(openAiErrors('ErrorResponse', body), [], name)
  }
  const chat = await fetch(`${mesh.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'tiny-voice', messages: [{ role: 'user', content: 'Hi' }] })
  })
  t.match(await chat.json(), { error: { message: /says texts.*does not generate text.*\/v1\/audio\/speech/ } })
  t.equal(mesh.jobs.length, 0)
})

t.test('characters without a sound are counted in a header', async t => {
  const response = await mesh.post({ ...VOICE, input: 'Hello 你好你好' })
  t.equal(response.headers.get('x-resultity-unspoken'), '2')
  await response.arrayBuffer()
})

t.test('a result is fetched later, as bytes of its type', async t => {
  const asked = { ...VOICE, input: 'Hello there.', response_format: 'wav' }
  const accepted = await mesh.post(asked, { headers: { prefer: 'respond-async' } })
  t.equal(accepted.status, 202)
  const { id } = await accepted.json()
  const fetchResult = () => fetch(`${mesh.url}/v1/requests/${id}/result`)
  await eventually(
    'it is done',
    async () => (await fetchResult()).status,
    status => status === 200
  )
  const response = await fetchResult()
  t.equal(response.headers.get('content-type'), 'audio/wav')
  const file = Buffer.from(await response.arrayBuffer())
  t.equal(file.readUInt32LE(4), file.length - 8, 'a whole file knows its length')
  const request = await (await fetch(`${mesh.url}/v1/requests/${id}`)).json()
  t.match(request, { status: 'succeeded', usage: { prompt_tokens: 12, completion_tokens: 1 } })
})

t.test('the same key is the same sound, said once', async t => {
  const options = { headers: { 'idempotency-key': 'one' } }
  const asked = { ...VOICE, input: 'Said once.', response_format: 'flac' }
  const first = Buffer.from(await (await mesh.post(asked, options)).arrayBuffer())
  const again = await mesh.post(asked, options)
  t.equal(again.headers.get('idempotency-replayed'), 'true')
  t.equal(again.headers.get('content-type'), 'audio/flac')
  t.ok(Buffer.from(await again.arrayBuffer()).equals(first))
  t.equal(mesh.jobs.length, 1)
})

t.test('a client that leaves ends the work', async t => {
  mesh.script = async job => job.send({ type: 'started', sequence: 0 })
  const controller = new AbortController()
  const asked = mesh.post({ ...VOICE, input: 'Hello' }, { signal: controller.signal })
  await jobCount(1)
  controller.abort()
  await t.rejects(asked)
  await mesh.jobs[0]?.ended
})

t.test('a failure before the first sound is an HTTP error, and after it breaks the file off', async t => {
  const failing = async (job: ScriptedJob): Promise<void> => {
    await job.send({ type: 'error', sequence: 0, error: new MeshError('engine_failed', 'broken') })
  }
  mesh.script = failing
  const response = await mesh.post({ ...VOICE, input: 'Hello' })
  t.equal(response.status, 500)
  t.match(await response.json(), { error: { message: /broken/ } })
  mesh.reset()
  const heard = Promise.withResolvers<void>()
  mesh.script = async job => {
    if (job === mesh.jobs[0]) return await answer(job)
    await heard.promise
    await failing(job)
  }
  const begun = await mesh.post({ ...VOICE, input: 'One. Two.', response_format: 'pcm' })
  t.equal(begun.status, 200)
  heard.resolve()
  await t.rejects(begun.arrayBuffer())
})

t.test('a result that is none names the node', async t => {
  mesh.script = async job => {
    await job.send({ type: 'started', sequence: 0 })
    await job.send({ type: 'result', sequence: 1, result: new TextEncoder().encode('{}') })
  }
  const { error } = await (await mesh.post({ ...VOICE, input: 'Hello' })).json()
  t.match(error.message, /nothing that tiny-voice says/)
})

t.test('a lost node’s sentence is said by another', async t => {
  const two = await startMesh(t, 2)
  let lost = 0
  two.script = async job => {
    if (lost++ > 0) return await answer(job)
    await job.send({ type: 'started', sequence: 0 })
    await job.node.kill()
  }
  const response = await two.post({ ...VOICE, input: 'One. Two. Three.', response_format: 'pcm' })
  t.equal(response.status, 200)
  t.ok((await response.arrayBuffer()).byteLength > 0)
  t.ok(two.jobs.length > 3, 'one was said again')
})

t.test('where no voice is served, the answer says which would do', async t => {
  const mute = await startMesh(t, 0, { models: ['tiny-chat'] })
  const response = await mute.post({ input: 'Hello' })
  t.equal(response.status, 501)
  t.match(await response.json(), {
    error: { code: 'not_implemented', message: /no model does that.*piper-joe.*--model/ }
  })
})
