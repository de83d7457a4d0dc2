import { phonemize } from '@resultity/phonemes'
import type { ServedSoundVoice, ServedVoice } from '@resultity/placement'
import { placeableKokoro, placeableVoice } from '@resultity/test-nodes'
import t from 'tap'
import { storedBytes, toSpeechPlan } from '../src/speech-plan.ts'
import { type SpeechRequest, speechRequestSchema } from '../src/speech-schema.ts'
import { chooseVoice, voicesOf } from '../src/voice-choice.ts'

function served(speakers: Readonly<Record<string, number>> = {}): ServedSoundVoice {
  const placeable = placeableVoice(speakers)
  const { manifest } = placeable
  if (manifest.architecture !== 'piper') throw new Error('no voice')
  return { kind: 'voice', id: 'v', aliases: [], placeable, createdAt: 0, config: manifest.config }
}

function servedKokoro(): ServedSoundVoice {
  const placeable = placeableKokoro()
  const { manifest } = placeable
  if (manifest.architecture !== 'kokoro') throw new Error('no Kokoro')
  return { kind: 'voice', id: 'k', aliases: [], placeable, createdAt: 0, config: manifest.config }
}

const dictionary = { lookup: (word: string) => (word === 'hello' ? ['HH', 'AH0', 'L', 'OW1'] : undefined) }

const phonemes = {
  phonemize: async (text: string, options = {}) => phonemize(text, dictionary, options)
}

function plan(fields: Partial<SpeechRequest>, model: ServedVoice = served()) {
  return toSpeechPlan(speechRequestSchema.parse({ input: 'Hello', ...fields }), model, {
    phonemes,
    writes: format => format !== 'aac'
  })
}

t.test('a text is sentences of ids, framed and padded', async t => {
  const { sentences, format, characters, lengthScale, unspoken } = await plan({ input: 'Hello. Hello? 你' })
  t.equal(sentences.length, 2)
  for (const ids of sentences) {
    t.strictSame([ids[0], ids[1], ids.at(-1)], [1, 0, 2])
    t.ok(ids.every((id, at) => at % 2 === 0 || id === 0))
  }
  t.strictSame([format, characters, lengthScale, unspoken], ['mp3', 15, 1, ['你']])
})

t.test('slow sentences are cut shorter, so that a node takes them', async t => {
  const input = 'hello '.repeat(200)
  for (const speed of [0.25, 0.5, 1, 4]) {
    const { sentences, lengthScale } = await plan({ input, speed })
    t.equal(lengthScale, 1 / speed)
    t.ok(
      sentences.every(ids => ids.length * Math.max(1, lengthScale) <= 640),
      `speed ${speed}`
    )
  }
})

t.test('what is reserved grows with what is said', async t => {
  const short = await plan({})
  const long = await plan({ input: 'Hello hello hello hello.' })
  t.ok(long.secondsMax > short.secondsMax)
  t.ok(storedBytes(long) > storedBytes(short))
  t.ok(storedBytes(await plan({ response_format: 'pcm' })) > storedBytes(short))
})

t.test('a voice is one of the model, or its own', async t => {
  const choir = served({ anna: 0, ben: 1 })
  t.strictSame(
    voicesOf(choir).map(({ name, default: main }) => [name, main]),
    [
      ['anna', true],
      ['ben', false]
    ]
  )
  for (const voice of [undefined, null, 'alloy', 'default', { id: 'verse' }]) {
    t.strictSame(chooseVoice(voice, choir), { name: 'anna', speaker: 0, alphabet: 'espeak' })
  }
  t.strictSame(chooseVoice({ id: 'ben' }, choir), { name: 'ben', speaker: 1, alphabet: 'espeak' })
  t.strictSame(chooseVoice('v', served()), { name: 'v', speaker: undefined, alphabet: 'espeak' })
  for (const voice of ['bob', 'constructor', { id: '__proto__' }]) {
    t.throws(() => chooseVoice(voice, choir), { code: 'invalid_request', details: { param: 'voice' } })
  }
})

t.test('speakers of Kokoro have a language each, and sentences in its letters without padding', async t => {
  const model = servedKokoro()
  t.strictSame(
    voicesOf(model).map(({ name, language, license, sample_rate: rate }) => [name, language, license, rate]),
    [
      ['af_heart', 'en_US', 'Apache-2.0', 24_000],
      ['bm_ben', 'en_GB', 'Apache-2.0', 24_000]
    ]
  )
  const { phonemeIds } = model.config
  const idsOf = (letters: string) => Array.from(letters, letter => phonemeIds[letter]?.[0] ?? -1)
  t.strictSame((await plan({}, model)).sentences, [[0, ...idsOf('həlˈO.'), 0]])
  t.strictSame((await plan({ voice: 'bm_ben' }, model)).sentences, [[0, ...idsOf('həlˈQ.'), 0]])
  for (const speed of [0.25, 1, 4]) {
    const { sentences, lengthScale } = await plan({ input: 'hello '.repeat(200), speed }, model)
    t.ok(
      sentences.every(ids => ids.length * Math.max(1, lengthScale) <= 320),
      `speed ${speed}: a node takes them`
    )
  }
})
