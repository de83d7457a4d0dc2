import { phonemize } from '@resultity/phonemes'
import type { ServedVoice } from '@resultity/placement'
import { placeableVoice } from '@resultity/test-nodes'
import t from 'tap'
import { storedBytes, toSpeechPlan } from '../src/speech-plan.ts'
import { type SpeechRequest, speechRequestSchema } from '../src/speech-schema.ts'
import { chooseVoice, voicesOf } from '../src/voice-choice.ts'

function served(speakers: Readonly<Record<string, number>> = {}): ServedVoice {
  const placeable = placeableVoice(speakers)
  const { manifest } = placeable
  if (manifest.architecture !== 'piper') throw new Error('no voice')
  return { kind: 'voice', id: 'v', aliases: [], placeable, createdAt: 0, config: manifest.config }
}

const dictionary = { lookup: (word: string) => (word === 'hello' ? ['HH', 'AH0', 'L', 'OW1'] : undefined) }

const phonemes = {
  phonemize: async (text: string, options = {}) => phonemize(text, dictionary, options)
}

function plan(fields: Partial<SpeechRequest>) {
  return toSpeechPlan(speechRequestSchema.parse({ input: 'Hello', ...fields }), served(), {
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
    t.strictSame(chooseVoice(voice, choir), { name: 'anna', speaker: 0 })
  }
  t.strictSame(chooseVoice({ id: 'ben' }, choir), { name: 'ben', speaker: 1 })
  t.strictSame(chooseVoice('v', served()), { name: 'v', speaker: undefined })
  for (const voice of ['bob', 'constructor', { id: '__proto__' }]) {
    t.throws(() => chooseVoice(voice, choir), { code: 'invalid_request', details: { param: 'voice' } })
  }
})
