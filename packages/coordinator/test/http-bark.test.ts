import { join } from 'node:path'
import { type TokenSynthesisJob, toSynthesisResult } from '@resultity/interface'
import { tinyVoice } from '@resultity/test-nodes'
import t from 'tap'
import { answering, bodyOf, startJobMesh } from './support/job-mesh.ts'

const bark = join(import.meta.dirname, '../../../voice/test/fixtures/tiny-bark')
const { onnx, json } = tinyVoice({ speakers: false })
const folder = t.testdir({ 'tiny-voice.onnx': Buffer.from(onnx), 'tiny-voice.onnx.json': json })

/** Says each token as one sample. */
const answer = answering(job =>
  toSynthesisResult(
    Float32Array.from(bodyOf<TokenSynthesisJob>(job).tokens, id => id / 128),
    24_000
  )
)

const mesh = await startJobMesh(t, 2, answer, { models: [`file:${bark}`, `file:${folder}/tiny-voice.onnx`] })
t.beforeEach(() => mesh.reset())

const post = (fields: object, init: RequestInit = {}): Promise<Response> =>
  fetch(`${mesh.url}/v1/audio/speech`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'tiny-bark', input: 'Hello the mesh. What?', response_format: 'wav', ...fields }),
    ...init
  })
const sentences = () => mesh.jobs.map(job => bodyOf<TokenSynthesisJob>(job)).toSorted((a, b) => a.sentence - b.sentence)

t.test('each sentence is a job of its tokens, with one seed, which is told', async t => {
  const response = await post({ voice: 'en_speaker_0', temperature: 0.5 })
  await response.arrayBuffer()
  t.equal(response.headers.get('x-resultity-voice'), encodeURIComponent('v2/en_speaker_0'))
  const seed = response.headers.get('x-resultity-seed')
  t.match(seed, /^\d+$/)
  const said = sentences()
  t.strictSame(
    said.map(({ tokens: _, ...rest }) => rest),
    [0, 1].map(sentence => ({ speaker: 2, seed, temperature: 0.5, sentence }))
  )
  t.ok(said.every(({ tokens }) => tokens.length > 0 && tokens.length <= 12))
  await (await post({ seed: -1 })).arrayBuffer()
  t.match(sentences().at(-1), { seed: '18446744073709551615', speaker: 0 }, 'a negative seed counts down from 2⁶⁴')
})

t.test('a sentence whose node is lost is said by the other, with the same seed', async t => {
  mesh.script = async job => {
    mesh.script = answer
    await job.send({ type: 'started', sequence: 0 })
    await job.node.kill()
  }
  const response = await post({ input: 'Hello.' })
  t.equal(response.status, 200)
  await response.arrayBuffer()
  const [first, second, ...others] = mesh.jobs.map(job => bodyOf<TokenSynthesisJob>(job))
  t.strictSame(second, first)
  t.equal(others.length, 0)
})

t.test('who leaves takes the sentences back', async t => {
  const leaving = new AbortController()
  mesh.script = async job => {
    await job.send({ type: 'started', sequence: 0 })
    leaving.abort()
  }
  await t.rejects(post({ input: 'Hello.' }, { signal: leaving.signal }))
  await mesh.jobs[0]?.ended
  t.equal(mesh.jobs.length, 1)
})

t.test('fields are refused by the voice that does nothing with them', async t => {
  const refused = async (fields: object, param: string): Promise<void> => {
    const response = await post(fields)
    t.equal(response.status, 400, JSON.stringify(fields))
    t.match(await response.json(), { error: { param } })
  }
  await refused({ speed: 1.5 }, 'speed')
  await refused({ seed: 1.5 }, 'seed')
  await refused({ temperature: 3 }, 'temperature')
  await refused({ voice: 'speaker_0' }, 'voice')
  await refused({ input: ' \n' }, 'input')
  await refused({ model: 'tiny-voice', seed: 1 }, 'seed')
  await refused({ model: 'tiny-voice', temperature: 0 }, 'temperature')
  t.equal(mesh.jobs.length, 0)
})
