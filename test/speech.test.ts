import { join } from 'node:path'
import { MeshError } from '@resultity/interface'
import { fetchModel, parseModelReference } from '@resultity/model'
import { swarmFor } from '@resultity/testkit'
import OpenAI, { toFile } from 'openai'
import { type Test, test } from 'tap'
import { sentences, wordErrors, wordsOf } from './heard-words.ts'

/** Kept between runs of the tests, so that models are downloaded once. */
const dataDir = join(import.meta.dirname, '../../data/test')

/** A voice draws its own noise, so that each take is another: a slip of one take is no fault of the voice. */
const TAKES = 3
/** The first four are heard without an error; of the others the smallest listener may take a word for another. */
const EXACT = 4
const WORD_ERRORS_MAX = 0.05

const VOICE = 'piper-joe'
const LISTENER = 'whisper-tiny.en'

/** The folder of a real model; undefined, with the reason told, where no source answers. */
async function realModel(t: Test, name: string): Promise<string | undefined> {
  try {
    return (await fetchModel(parseModelReference(name), { dataDir })).path
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== 'model_unavailable') throw error
    t.plan(0, `no source of ${name} answered on this machine: ${error.message}`)
    return undefined
  }
}

test('ten sentences become speech over three nodes, and are heard back word for word', async t => {
  const voice = await realModel(t, VOICE)
  const listener = voice === undefined ? undefined : await realModel(t, LISTENER)
  if (voice === undefined || listener === undefined) return
  const swarm = await swarmFor(t, { nodes: 3, models: [`file:${voice}`, `file:${listener}`] })
  const client = new OpenAI({ baseURL: `${swarm.url}/v1`, apiKey: 'none' })
  const served = await client.models.list()
  const kinds = new Map(served.data.map(model => [Reflect.get(model, 'kind'), model.id]))
  const [model = '', whisper = ''] = [kinds.get('voice'), kinds.get('speech')]

  const speak = async (input: string, fields: object = {}): Promise<Buffer> => {
    const response = await client.audio.speech.create({ model, voice: 'alloy', input, ...fields })
    return Buffer.from(await response.arrayBuffer())
  }
  const hear = async (sound: Buffer, name: string): Promise<string> => {
    const { text } = await client.audio.transcriptions.create({ model: whisper, file: await toFile(sound, name) })
    return wordsOf(text)
  }

  await t.test('each sentence alone, in each form', async t => {
    const forms = ['wav', 'mp3', 'flac', 'opus'] as const
    let wrong = 0
    let all = 0
    for (const [index, sentence] of sentences.entries()) {
      const form = forms[index % forms.length] ?? 'wav'
      const wanted = wordsOf(sentence)
      let heard = ''
      for (let take = 0; take < TAKES && heard !== wanted; take++) {
        const sound = await speak(sentence, { response_format: form })
        heard = await hear(sound, `speech.${form === 'opus' ? 'ogg' : form}`)
        if (heard !== wanted) t.comment(`take ${take} in ${form}: ${heard}`)
      }
      if (index < EXACT) t.equal(heard, wanted, form)
      wrong += wordErrors(wanted, heard)
      all += wanted.split(' ').length
    }
    t.ok(wrong / all <= WORD_ERRORS_MAX, `${wrong} of ${all} words`)
  })

  await t.test('all of them as one text, at once and as it is made', async t => {
    const text = sentences.join(' ')
    const whole = await speak(text, { response_format: 'wav' })
    const heard = await hear(whole, 'all.wav')
    t.ok(wordErrors(wordsOf(text), heard) <= 2 * WORD_ERRORS_MAX * wordsOf(text).split(' ').length, heard)
    const response = await client.audio.speech.create({ model, voice: 'alloy', input: text, response_format: 'mp3' })
    let pieces = 0
    for await (const _ of response.body ?? []) pieces++
    t.ok(pieces > 1, `${pieces} pieces`)
  })

  await t.test('bare samples are at 24 kHz, and half the speed is twice as long', async t => {
    const seconds = (bytes: Buffer): number => bytes.length / 2 / 24_000
    const usual = seconds(await speak('This is how fast I speak.', { response_format: 'pcm' }))
    const slow = seconds(await speak('This is how fast I speak.', { response_format: 'pcm', speed: 0.5 }))
    t.ok(usual > 1 && usual < 4, `${usual} s`)
    t.ok(slow > 1.5 * usual && slow < 2.6 * usual, `${slow} s`)
  })

  await t.test('a voice that is not there is refused by name', async t => {
    await t.rejects(speak('Hello', { voice: 'bob' }), { message: /400 .*no voice "bob"/ })
  })
})
