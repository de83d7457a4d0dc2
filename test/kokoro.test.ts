import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { fetchModel, parseModelReference } from '@resultity/model'
import { swarmFor } from '@resultity/testkit'
import OpenAI, { toFile } from 'openai'
import { test } from 'tap'
import { sentences, wordErrors, wordsOf } from './heard-words.ts'

/** Where `npx resultity pull NAME --data data/test` puts models. */
const dataDir = join(import.meta.dirname, '../../data/test')

const WORD_ERRORS_MAX = 0.05

/** The model's folder; it is not downloaded for a test, which would take 100 MB. */
async function cachedModel(name: string): Promise<string | undefined> {
  const nothing = {
    pip: { pipCommands: [] },
    npm: { npmCommands: [] },
    hub: { hubUrl: 'http://127.0.0.1:9', retryMs: 0 }
  }
  try {
    return (await fetchModel(parseModelReference(name), { dataDir, ...nothing })).path
  } catch (error) {
    if (error instanceof MeshError && error.code === 'model_unavailable') return undefined
    throw error
  }
}

const [voice, listener] = [await cachedModel('kokoro'), await cachedModel('whisper-base')]
const skip =
  voice === undefined || listener === undefined
    ? 'they are not in data/test: npx resultity pull kokoro --data data/test, and whisper-base'
    : false

test('ten sentences are said by speakers of Kokoro on two nodes, and heard back', { skip }, async t => {
  // a model is named after its folder
  const folders = t.testdir({
    kokoro: t.fixture('symlink', voice ?? ''),
    whisper: t.fixture('symlink', listener ?? '')
  })
  const models = ['kokoro', 'whisper'].map(name => `file:${join(folders, name)}`)
  const swarm = await swarmFor(t, { nodes: 2, models })
  const client = new OpenAI({ baseURL: `${swarm.url}/v1`, apiKey: 'none' })
  const speak = async (input: string, speaker: string): Promise<Buffer> => {
    const response = await client.audio.speech.create({
      model: 'kokoro',
      voice: speaker,
      input,
      response_format: 'flac'
    })
    return Buffer.from(await response.arrayBuffer())
  }

  let wrong = 0
  let all = 0
  for (const [index, speaker] of ['af_heart', 'am_michael', 'bf_emma', 'bm_george', 'af_bella'].entries()) {
    const text = sentences.slice(2 * index, 2 * index + 2).join(' ')
    const sound = await speak(text, speaker)
    const heard = await client.audio.transcriptions.create({ model: 'whisper', file: await toFile(sound, 'said.flac') })
    const errors = wordErrors(wordsOf(text), wordsOf(heard.text))
    t.comment(`${speaker}: ${errors} of ${heard.text}`)
    wrong += errors
    all += wordsOf(text).split(' ').length
  }
  t.ok(wrong / all <= WORD_ERRORS_MAX, `${wrong} of ${all} words`)
  t.ok(
    (await speak('Good morning.', 'af_heart')).equals(await speak('Good morning.', 'af_heart')),
    'the same each time'
  )

  const { data }: { data: { name: string; language: string; license: string; sample_rate: number }[] } = await (
    await fetch(`${swarm.url}/v1/audio/voices`)
  ).json()
  t.equal(data.length, 11)
  t.match(data[0], { name: 'af_heart', language: 'en_US', license: 'Apache-2.0', sample_rate: 24_000 })
  t.match(
    data.find(({ name }) => name === 'bm_george'),
    { language: 'en_GB' }
  )
})
