import t from 'tap'
import { bodyOfForm, type FormFields } from '../src/files/form-fields.ts'

const kinds: FormFields = {
  lists: new Set(['timestamp_granularities', 'include']),
  objects: new Set(['chunking_strategy', 'mesh']),
  numbers: new Set(['temperature', 'seed']),
  booleans: new Set(['stream', 'store'])
}

const cases: Readonly<Record<string, readonly [readonly (readonly [string, string])[], object]>> = {
  'texts stay texts': [
    [
      ['model', 'whisper-base'],
      ['prompt', '42']
    ],
    { model: 'whisper-base', prompt: '42' }
  ],
  'numbers and truth': [
    [
      ['temperature', '0.2'],
      ['seed', '7'],
      ['stream', 'true'],
      ['store', 'False']
    ],
    { temperature: 0.2, seed: 7, stream: true, store: false }
  ],
  'a seed of 64 bits keeps its digits': [[['seed', '9223372036854775807']], { seed: '9223372036854775807' }],
  'what is no number is left for the schema to name': [
    [
      ['temperature', 'warm'],
      ['stream', 'maybe']
    ],
    { temperature: 'warm', stream: 'maybe' }
  ],
  'lists, with brackets and without': [
    [
      ['timestamp_granularities[]', 'word'],
      ['timestamp_granularities[]', 'segment'],
      ['include', 'logprobs']
    ],
    { timestamp_granularities: ['word', 'segment'], include: ['logprobs'] }
  ],
  'objects as JSON': [
    [
      ['chunking_strategy', '{"type":"server_vad","threshold":0.4}'],
      ['mesh', '{"subcloud":"eu"}']
    ],
    { chunking_strategy: { type: 'server_vad', threshold: 0.4 }, mesh: { subcloud: 'eu' } }
  ],
  'objects in pieces': [
    [
      ['chunking_strategy[type]', 'server_vad'],
      ['chunking_strategy[silence_duration_ms]', '300']
    ],
    { chunking_strategy: { type: 'server_vad', silence_duration_ms: 300 } }
  ],
  'a word in place of an object': [[['chunking_strategy', 'auto']], { chunking_strategy: 'auto' }],
  'other fields': [[['known_speaker_names[]', 'me']], { known_speaker_names: 'me' }]
}
for (const [name, [fields, body]] of Object.entries(cases)) {
  t.test(name, async t => t.strictSame(bodyOfForm(fields, kinds), body))
}

t.test('what should be JSON and is not is named', async t => {
  t.throws(() => bodyOfForm([['mesh', '{']], kinds), { code: 'invalid_request', details: { param: 'mesh' } })
})

t.test('a field cannot change what all objects have', async t => {
  const body = bodyOfForm(
    [
      ['__proto__', 'x'],
      ['mesh[__proto__]', 'x']
    ],
    kinds
  )
  t.equal(({} as Record<string, unknown>).x, undefined)
  t.equal(Object.getPrototypeOf(body), Object.prototype)
})
