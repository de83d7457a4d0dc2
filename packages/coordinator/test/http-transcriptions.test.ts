import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fromPcm, MeshError, type TranscriptionJob, type TranscriptionResult } from '@resultity/interface'
import { eventually, openAiErrors } from '@resultity/test-api'
import type { ScriptedJob } from '@resultity/test-nodes'
import t, { type Test } from 'tap'
import { answering, bodyOf, startJobMesh } from './support/job-mesh.ts'

const fixtures = join(import.meta.dirname, '../../..')
const whisper = `file:${join(fixtures, 'whisper/test/fixtures/tiny-whisper')}`
const encoder = `file:${join(fixtures, 'model/test/fixtures/tiny-encoder')}`
const MODEL = 'tiny-whisper'
const SECONDS = 4.2
/** Ids of the fixture's steering tokens. */
const FIRST_TIMESTAMP = 311
const at = (seconds: number): number => FIRST_TIMESTAMP + Math.round(50 * seconds)

const recording = await readFile(join(fixtures, 'audio/test/fixtures/jfk.wav'))

const jobOf = (job: ScriptedJob): TranscriptionJob => bodyOf(job)

const said = (
  tokens: readonly number[],
  changes: Partial<TranscriptionResult['segments'][number]> = {}
): TranscriptionResult => ({
  language: { code: 'de', probability: 0.9 },
  segments: [
    {
      seek: 0,
      start: 0.5,
      end: 2,
      tokens: [at(0.5), ...tokens, at(2)],
      logprobs: [-0.1, ...tokens.map(() => -0.25), -0.1],
      temperature: 0,
      averageLogprob: -0.2,
      compressionRatio: 1.25,
      noSpeech: 0.01,
      words: [{ tokens: [...tokens], start: 0.6, end: 1.9 }],
      ...changes
    }
  ]
})

type Fields = Record<string, string | readonly string[] | Blob>

const started = await startJobMesh(
  t,
  1,
  answering(() => said([5, 6])),
  { models: [whisper, encoder] }
)
const mesh = Object.assign(started, {
  post: (
    fields: Fields,
    { path = '/v1/audio/transcriptions', headers = {} }: { path?: string; headers?: Record<string, string> } = {}
  ) => {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) {
      if (value instanceof Blob) form.append(name, value, 'speech.wav')
      else for (const one of [value].flat()) form.append(name, String(one))
    }
    return fetch(`${started.url}${path}`, { method: 'POST', body: form, headers })
  }
})
t.beforeEach(() => mesh.reset())
const file = new Blob([recording])

/** What the fixture's vocabulary writes for tokens 5 and 6. */
const spoken = await (async () => {
  const { text } = await (await mesh.post({ file, model: MODEL })).json()
  return text as string
})()

t.test('a recording is heard, and told as OpenAI tells it', async t => {
  const response = await mesh.post({ file, model: MODEL, prompt: 'ask', temperature: '0.4', language: 'de' })
  t.equal(response.status, 200)
  const body = await response.json()
  t.same(openAiErrors('CreateTranscriptionResponseJson', body), [])
  t.same(body, { text: spoken, usage: { type: 'duration', seconds: SECONDS } })
  t.match(response.headers.get('x-resultity-route'), new RegExp(`^${mesh.nodes[0]?.peerId}\\[0,5\\)$`))
  const [job] = mesh.jobs
  if (job === undefined) throw new Error('no job')
  const { pcm, prompt, ...asked } = jobOf(job)
  t.match(asked, { task: 'transcribe', language: 'de', temperatures: [0.4], words: false })
  t.ok(prompt.length > 0)
  t.ok((fromPcm(pcm)?.length ?? 0) > 2 * 16_000, 'what was said is in the job')
})

t.test('every form that OpenAI has', async t => {
  const read = async (fields: Record<string, string | string[]>) => {
    const response = await mesh.post({ file, model: MODEL, ...fields })
    return { type: response.headers.get('content-type') ?? '', text: await response.text() }
  }
  const text = await read({ response_format: 'text' })
  t.same(text, { type: 'text/plain; charset=utf-8', text: `${spoken}\n` })
  const srt = await read({ response_format: 'srt' })
  t.match(srt, { type: /^text\/plain/, text: /^1\n00:00:\d\d,\d{3} --> 00:00:\d\d,\d{3}\n/ })
  const vtt = await read({ response_format: 'vtt' })
  t.match(vtt, { type: /^text\/plain/, text: /^WEBVTT\n\n00:00:\d\d\.\d{3} --> / })

  const verbose = JSON.parse((await read({ response_format: 'verbose_json' })).text)
  t.same(openAiErrors('CreateTranscriptionResponseVerboseJson', verbose), [])
  t.match(verbose, { task: 'transcribe', language: 'german', duration: SECONDS, text: spoken })
  t.notOk('words' in verbose)
  t.same(Object.keys(verbose.segments[0]), [
    'id',
    'seek',
    'start',
    'end',
    'text',
    'tokens',
    'temperature',
    'avg_logprob',
    'compression_ratio',
    'no_speech_prob'
  ])
  t.match(verbose.segments[0], {
    id: 0,
    temperature: 0,
    avg_logprob: -0.2,
    compression_ratio: 1.25,
    no_speech_prob: 0.01
  })

  for (const name of ['timestamp_granularities[]', 'timestamp_granularities']) {
    const worded = JSON.parse((await read({ response_format: 'verbose_json', [name]: ['word'] })).text)
    t.same(openAiErrors('CreateTranscriptionResponseVerboseJson', worded), [], name)
    t.equal(worded.words.length, 1)
    t.notOk('segments' in worded, 'words alone were asked for')
    const both = JSON.parse((await read({ response_format: 'verbose_json', [name]: ['word', 'segment'] })).text)
    t.ok('segments' in both && 'words' in both)
  }
  const certain = JSON.parse((await read({ 'include[]': ['logprobs'] })).text)
  t.same(openAiErrors('CreateTranscriptionResponseJson', certain), [])
  t.equal(certain.logprobs.length, 2)
  t.equal(
    certain.logprobs
      .map((one: { token: string }) => one.token)
      .join('')
      .trim(),
    spoken
  )
})

t.test('a stream tells the text as it is heard', async t => {
  const response = await mesh.post({ file, model: MODEL, stream: 'true', 'include[]': 'logprobs' })
  t.match(response.headers.get('content-type'), /^text\/event-stream/)
  const lines = (await response.text()).split('\n').filter(line => line.startsWith('data: {'))
  const events = lines.map(line => JSON.parse(line.slice('data: '.length)))
  t.strictSame(
    events.map(({ type }) => type),
    ['transcript.text.delta', 'transcript.text.done']
  )
  t.same(openAiErrors('TranscriptTextDeltaEvent', events[0]), [])
  t.same(openAiErrors('TranscriptTextDoneEvent', events[1]), [])
  t.equal(events[0].delta, spoken)
  t.equal(events[1].text, spoken)
  t.same(events[1].usage, {
    type: 'tokens',
    input_tokens: 210,
    input_token_details: { text_tokens: 0, audio_tokens: 210 },
    output_tokens: 2,
    total_tokens: 212
  })
})

t.test('a translation is English, whatever is spoken', async t => {
  for (const path of ['/v1/audio/translations', '/v1/audio/translation']) {
    const response = await mesh.post(
      { file, model: MODEL, response_format: 'verbose_json', target_language: 'en' },
      { path }
    )
    const body = await response.json()
    t.same(openAiErrors('CreateTranslationResponseVerboseJson', body), [], path)
    t.match(body, { task: 'translate', language: 'english' })
    const job = mesh.jobs.at(-1)
    t.equal(job === undefined ? '' : jobOf(job).task, 'translate')
  }
})

t.test('silence says nothing, and is asked of no node', async t => {
  const silent = Buffer.concat([recording.subarray(0, 44), Buffer.alloc(recording.length - 44)])
  const response = await mesh.post({ file: new Blob([silent]), model: MODEL })
  t.same(await response.json(), { text: '', usage: { type: 'duration', seconds: SECONDS } })
  t.equal(mesh.jobs.length, 0)
})

t.test('what is wrong is said, naming the field, before any node hears of it', async t => {
  const plain = { file, model: MODEL }
  const bytes = (text: string): Blob => new Blob([text])
  const cases: Record<string, [Record<string, string | string[] | Blob>, number, string | null, RegExp?]> = {
    'no file': [{ model: MODEL }, 400, 'file'],
    'a file of another name': [{ model: MODEL, audio: file }, 400, 'audio'],
    'an empty file': [{ ...plain, file: bytes('') }, 400, 'file'],
    'no audio': [{ ...plain, file: bytes('hello, this is no audio at all, is it?') }, 400, 'file'],
    'half a file': [{ ...plain, file: new Blob([recording.subarray(0, 30)]) }, 400, 'file'],
    'a file that is not there': [{ model: MODEL, file: 'file-0000' }, 400, 'file'],
    speakers: [{ ...plain, response_format: 'diarized_json' }, 400, 'response_format', /diarized_json/],
    'another format': [{ ...plain, response_format: 'xml' }, 400, 'response_format'],
    'too hot': [{ ...plain, temperature: '1.5' }, 400, 'temperature'],
    'no temperature': [{ ...plain, temperature: 'warm' }, 400, 'temperature'],
    'a language that is not known': [{ ...plain, language: 'tlh' }, 400, 'language'],
    'words in a text': [{ ...plain, 'timestamp_granularities[]': 'word' }, 400, 'timestamp_granularities'],
    'logprobs of subtitles': [{ ...plain, response_format: 'srt', 'include[]': 'logprobs' }, 400, 'include'],
    'another cut': [{ ...plain, chunking_strategy: 'manual' }, 400, 'chunking_strategy'],
    'a cut that is no JSON': [{ ...plain, chunking_strategy: '{' }, 400, 'chunking_strategy'],
    'names of speakers': [{ ...plain, 'known_speaker_names[]': 'me' }, 400, 'known_speaker_names'],
    'a model that is not served': [{ ...plain, model: 'whisper-1' }, 404, 'model', /tiny-whisper/],
    'a model of another kind': [{ ...plain, model: 'tiny-encoder' }, 400, 'model', /\/v1\/embeddings/]
  }
  for (const [name, [fields, status, param, message = /./]] of Object.entries(cases)) {
    const response = await mesh.post(fields)
    const body = await response.json()
    t.equal(response.status, status, `${name}: ${JSON.stringify(body)}`)
    t.match(body, { error: { param, message, type: 'invalid_request_error' } }, name)
    t.same(openAiErrors('ErrorResponse', body), [], name)
  }
  const french = await mesh.post({ ...plain, target_language: 'fr' }, { path: '/v1/audio/translations' })
  t.match(await french.json(), { error: { param: 'target_language' } })
  const large = await mesh.post({ ...plain, file: new Blob([recording, Buffer.alloc(25 * 1024 * 1024)]) })
  t.equal(large.status, 413)
  t.match(await large.json(), { error: { param: 'file' } })
  const two = new FormData()
  for (const name of ['a.wav', 'b.wav']) two.append('file', file, name)
  two.append('model', MODEL)
  const twice = await fetch(`${mesh.url}/v1/audio/transcriptions`, { method: 'POST', body: two })
  t.equal(twice.status, 413)
  const noForm = await fetch(`${mesh.url}/v1/audio/transcriptions`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
    body: 'no form'
  })
  t.equal(noForm.status, 400)
  t.equal(mesh.jobs.length, 0)
  await untilGone()
})

t.test('a file that was uploaded before is named, and stays', async t => {
  const form = new FormData()
  form.append('file', file, 'jfk.wav')
  form.append('purpose', 'user_data')
  const { id } = await (await fetch(`${mesh.url}/v1/files`, { method: 'POST', body: form })).json()
  const named = await fetch(`${mesh.url}/v1/audio/transcriptions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ file: id, model: MODEL })
  })
  t.match(await named.json(), { text: spoken })
  const inForm = await mesh.post({ file: id, model: MODEL })
  t.match(await inForm.json(), { text: spoken })
  t.equal((await fetch(`${mesh.url}/v1/files/${id}`)).status, 200)
  const { usage } = await batched(t, [{ file: id, model: MODEL, response_format: 'text' }])
  t.match(usage, [{ text: `${spoken}\n` }])
  await fetch(`${mesh.url}/v1/files/${id}`, { method: 'DELETE' })
})

t.test('a client may come back for it, and what repeats a request is told by its recording', async t => {
  const headers = { prefer: 'respond-async', 'idempotency-key': 'once' }
  const accepted = await mesh.post({ file, model: MODEL }, { headers })
  t.equal(accepted.status, 202)
  const { id, response_url: url } = await accepted.json()
  const again = await mesh.post({ file, model: MODEL }, { headers })
  t.equal((await again.json()).id, id)
  t.equal(again.headers.get('idempotency-replayed'), 'true')
  const other = await mesh.post({ file, model: MODEL, prompt: 'else' }, { headers })
  t.equal(other.status, 422)
  const result = await eventually(
    'there is an answer',
    () => fetch(`${mesh.url}${url}`),
    ({ status }) => status !== 202
  )
  t.match(await result.json(), { text: spoken })
  const { usage } = await (await fetch(`${mesh.url}/v1/requests/${id}`)).json()
  t.same(
    usage,
    { prompt_tokens: 210, completion_tokens: 2, total_tokens: 212 },
    'a second of sound counts as 50 tokens'
  )
  await untilGone()
})

t.test('a node that is lost, or gives what no model gives, is told of', async t => {
  mesh.script = answering(() => ({ ...said([5]), language: { code: 'fr', probability: 1 } }))
  const wrong = await mesh.post({ file, model: MODEL })
  t.equal(wrong.status, 502)
  t.match(await wrong.json(), { error: { code: 'protocol_violation' } })
  mesh.script = async job => {
    await job.send({ type: 'error', sequence: 0, error: new MeshError('engine_failed', 'it broke') })
  }
  const broken = await mesh.post({ file, model: MODEL })
  t.ok(broken.status >= 500)
  await untilGone()
})

/** Resolves once nothing is stored of any recording. */
async function untilGone(): Promise<void> {
  const contents = async (): Promise<string[]> => {
    const names = await readdir(join(mesh.dataDir, 'content'), { recursive: true })
    return names.filter((name: string) => name.includes('cnt_'))
  }
  await eventually('no recording is stored', contents, names => names.length === 0)
}

/** Runs a batch of transcriptions. @returns the bodies of its answers */
async function batched(t: Test, bodies: readonly object[]): Promise<{ usage: unknown[] }> {
  const lines = bodies.map((body, index) =>
    JSON.stringify({ custom_id: `${index}`, method: 'POST', url: '/v1/audio/transcriptions', body })
  )
  const form = new FormData()
  form.append('file', new Blob([lines.join('\n')]), 'batch.jsonl')
  form.append('purpose', 'batch')
  const { id } = await (await fetch(`${mesh.url}/v1/files`, { method: 'POST', body: form })).json()
  const created = await fetch(`${mesh.url}/v1/batches`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input_file_id: id, endpoint: '/v1/audio/transcriptions', completion_window: '24h' })
  })
  const accepted = await created.json()
  t.equal(created.status, 200, JSON.stringify(accepted))
  const batch = await eventually(
    'the batch ends',
    async () => await (await fetch(`${mesh.url}/v1/batches/${accepted.id}`)).json(),
    ({ status }) => ['completed', 'failed'].includes(status)
  )
  const output = await (await fetch(`${mesh.url}/v1/files/${batch.output_file_id}/content`)).text()
  for (const one of [id, batch.output_file_id]) await fetch(`${mesh.url}/v1/files/${one}`, { method: 'DELETE' })
  return {
    usage: output
      .trim()
      .split('\n')
      .map(line => ({ text: JSON.parse(line).response.body }))
  }
}
