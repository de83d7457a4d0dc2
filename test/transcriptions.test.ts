import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AudioDecoder, wavHead } from '@resultity/audio'
import { encodePcm, MeshError } from '@resultity/interface'
import { fetchModel, parseModelReference } from '@resultity/model'
import { type Swarm, swarmFor } from '@resultity/testkit'
import OpenAI, { toFile } from 'openai'
import { type Test, test } from 'tap'
import { eventually } from './mesh-state.ts'

const fixtures = join(import.meta.dirname, '../../packages/audio/test/fixtures')
/** Kept between runs of the tests, so that the model is downloaded once. */
const dataDir = join(import.meta.dirname, '../../data/test')

const RATE = 16_000
const PARTS = 5
/** Of the mesh, which hears it as one of them does. */
const NODES = 3
const SAID = /my fellow Americans/gi
const NO_AUDIO = /status 400.*"param":"file"/

/** A recording of eleven seconds, `PARTS` times with a pause of two behind each: a minute, which all nodes hear at once. */
async function longRecording(): Promise<Buffer> {
  await using decoder = new AudioDecoder()
  const { samples } = await decoder.decode(new Uint8Array(await readFile(join(fixtures, 'jfk.mp3'))))
  const part = Buffer.concat([encodePcm(samples), Buffer.alloc(2 * 2 * RATE)])
  const sound = Buffer.concat(Array.from({ length: PARTS }, () => part))
  return Buffer.concat([wavHead({ rate: RATE, dataBytes: sound.length }), sound])
}

/** The folder of the real model, with its own name; undefined, with the reason told, where no source answers. */
async function realModel(t: Test): Promise<string | undefined> {
  try {
    return (await fetchModel(parseModelReference('whisper-tiny.en'), { dataDir })).path
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== 'model_unavailable') throw error
    t.plan(0, `no source of whisper-tiny.en answered on this machine: ${error.message}`)
    return undefined
  }
}

interface Heard {
  readonly text: string
  readonly nodes: readonly string[]
}

async function transcribe(
  url: string,
  recording: Buffer,
  fields: Readonly<Record<string, string>> = {}
): Promise<Heard> {
  const form = new FormData()
  form.append('file', new Blob([new Uint8Array(recording)]), 'long.wav')
  // a text that repeats itself is written again by chance
  for (const [name, value] of Object.entries({ seed: '7', ...fields })) form.append(name, value)
  const response = await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body: form })
  const body = await response.json()
  if (response.status !== 200) throw new Error(`status ${response.status}: ${JSON.stringify(body)}`)
  const route = response.headers.get('x-resultity-route') ?? ''
  return { text: body.text, nodes: route.split(', ').map(one => one.replace(/\[.*/, '')) }
}

/** Whether the model is ready on so many nodes. */
async function untilServed(swarm: Swarm, count: number): Promise<void> {
  await eventually(
    `the model is ready on ${count} nodes`,
    () => swarm.api.placements(),
    placements =>
      new Set(placements.filter(one => one.state === 'ready').map(one => one.stages[0]?.peerId)).size >= count
  )
}

test('a long recording is heard by three nodes, and its text is that of one', async t => {
  const model = await realModel(t)
  if (model === undefined) return
  const swarm = await swarmFor(t, { nodes: NODES, models: [`file:${model}`] })
  const { url } = swarm
  const recording = await longRecording()
  const first = await transcribe(url, recording)
  const times = first.text.match(SAID)?.length ?? 0
  t.equal(times, PARTS, first.text)
  // the first one asked for the other nodes, and may not have waited for them
  await untilServed(swarm, NODES)
  const shared = await transcribe(url, recording)
  t.equal(shared.text, first.text)
  t.same([...shared.nodes].toSorted(), swarm.nodes.map(({ peerId }) => peerId).toSorted(), 'all have heard of it')
  const [one] = swarm.nodes
  const alone = await transcribe(url, recording, { mesh: JSON.stringify({ nodes: [one?.peerId] }) })
  t.same(alone.nodes, [one?.peerId])
  t.equal(alone.text, first.text)

  await t.test('the official client reads every form', async t => {
    const { data } = await (await fetch(`${url}/v1/models`)).json()
    const [{ id, kind }] = data as [{ id: string; kind: string }]
    t.equal(kind, 'speech')
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })
    const speech = await readFile(join(fixtures, 'jfk.mp3'))
    const file = () => toFile(speech, 'jfk.mp3')
    const json = await client.audio.transcriptions.create({ file: await file(), model: id })
    t.match(json.text, /^And so my fellow Americans,? ask not what your country can do for you/)
    const text = await client.audio.transcriptions.create({ file: await file(), model: id, response_format: 'text' })
    t.equal(String(text).trim(), json.text)
    const srt = await client.audio.transcriptions.create({ file: await file(), model: id, response_format: 'srt' })
    t.match(String(srt), /^1\n00:00:00,\d{3} --> /)
    const vtt = await client.audio.transcriptions.create({ file: await file(), model: id, response_format: 'vtt' })
    t.match(String(vtt), /^WEBVTT\n/)
    const verbose = await client.audio.transcriptions.create({
      file: await file(),
      model: id,
      response_format: 'verbose_json',
      timestamp_granularities: ['word', 'segment']
    })
    t.equal(verbose.duration, 11)
    t.equal(verbose.text, json.text)
    t.equal(verbose.words?.map(({ word }) => word).join(' '), json.text)
    t.ok(verbose.words?.every(({ start, end }) => start <= end && end <= 11))
    t.equal(
      verbose.segments
        ?.map(one => one.text)
        .join('')
        .trim(),
      json.text
    )
    let streamed = ''
    for await (const event of await client.audio.transcriptions.create({
      file: await file(),
      model: id,
      stream: true
    })) {
      if (event.type === 'transcript.text.delta') streamed += event.delta
      if (event.type === 'transcript.text.done') t.equal(event.text, json.text)
    }
    t.equal(streamed, json.text)
    const error: unknown = await client.audio.translations
      .create({ file: await file(), model: id })
      .catch(error => error)
    t.match(error, { status: 400, message: /only knows English/ })
  })

  await t.test('what is no audio is refused, and leaves nothing on the disk', async t => {
    const kept = (): Promise<string[]> => readdir(join(swarm.coordinator.dataDir, 'content'), { recursive: true })
    const before = await kept()
    await t.rejects(transcribe(url, Buffer.from('no sound, though its name says so'.repeat(100))), NO_AUDIO)
    const whole = await readFile(join(fixtures, 'jfk.mp3'))
    await t.rejects(transcribe(url, Buffer.from(whole.subarray(0, 40))), NO_AUDIO)
    // a folder stays when its last file goes
    const left = (names: readonly string[]): string[] =>
      names.filter(name => /cnt_/.test(name) && !before.includes(name))
    await eventually('nothing more is kept', kept, names => left(names).length === 0)
  })

  await t.test('a node that is killed amid a recording is a pause', async t => {
    const running = transcribe(url, recording)
    await eventually(
      'all nodes are at work',
      () => swarm.api.placements(),
      placements => placements.filter(one => Number(one.sessionsOpen) > 0).length === NODES
    )
    const lost = swarm.nodes[1]
    await lost?.kill('SIGKILL')
    t.equal((await running).text, first.text)
  })
})
