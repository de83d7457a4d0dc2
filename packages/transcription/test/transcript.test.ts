import t from 'tap'
import { languageCode, languageName } from '../src/spoken-language.ts'
import { segmentsOf, wholeText } from '../src/transcript.ts'
import { soundTokens, transcriptAnswer } from '../src/transcript-answer.ts'

const texts = [' One', ' two', '.', ' Three']
const text = {
  tokenizer: { decode: (ids: Iterable<number>) => [...ids].map(id => texts[id] ?? '').join('') },
  endOfText: 10
}
const segment = {
  seek: 20,
  start: 0.25,
  end: 1.5,
  tokens: [50, 0, 1, 2, 60],
  logprobs: [-1, -0.1, -0.2, -0.3, -1],
  temperature: 0,
  averageLogprob: -0.5,
  compressionRatio: 1,
  noSpeech: 0.1,
  words: [
    { tokens: [0], start: 0.25, end: 0.5 },
    { tokens: [1, 2], start: 0.5, end: 1.5 }
  ]
}

t.test('segments of a piece are placed in their recording', async t => {
  const [placed] = segmentsOf({ segments: [segment] }, 16_000 * 10, text)
  t.match(placed, { seek: 1020, start: 10.25, end: 11.5, text: ' One two.' })
  t.strictSame(placed?.words, [
    { text: 'One', start: 10.25, end: 10.5 },
    { text: 'two.', start: 10.5, end: 11.5 }
  ])
  t.strictSame(
    placed?.logprobs.map(({ token, logprob }) => [token, logprob]),
    [
      [' One', -0.1],
      [' two', -0.2],
      ['.', -0.3]
    ]
  )
})

t.test('the text of a recording begins with its first word, and deltas make it', async t => {
  const segments = segmentsOf({ segments: [segment, { ...segment, tokens: [3], logprobs: [0] }] }, 0, text)
  t.equal(wholeText(segments), 'One two. Three')
  t.equal(wholeText([]), '')
})

t.test('subtitles number their segments, and of silence there are none', async t => {
  const segments = segmentsOf({ segments: [segment] }, 0, text)
  const transcript = { task: 'transcribe', language: 'en', seconds: 2, segments } as const
  const form = { words: false, segments: true, logprobs: false }
  t.equal(transcriptAnswer(transcript, { ...form, format: 'srt' }), '1\n00:00:00,250 --> 00:00:01,500\nOne two.\n\n')
  t.equal(transcriptAnswer({ ...transcript, segments: [] }, { ...form, format: 'vtt' }), 'WEBVTT\n\n')
  t.equal(transcriptAnswer({ ...transcript, segments: [] }, { ...form, format: 'text' }), '\n')
  t.equal(soundTokens(1.01), 51)
})

t.test('languages are known by code, with a region, and by name', async t => {
  const config = { multilingual: true, languages: { en: 1, de: 2, haw: 3 } }
  for (const [written, code] of [
    ['de', 'de'],
    ['DE', 'de'],
    ['de-AT', 'de'],
    ['German', 'de'],
    ['haw', 'haw']
  ] as const) {
    t.equal(languageCode(written, config), code, written)
  }
  t.throws(() => languageCode('tlh', config), { code: 'invalid_request', hint: /en, de, haw/ })
  t.throws(() => languageCode('de', { multilingual: false, languages: {} }), { code: 'invalid_request' })
  t.equal(languageName('de'), 'german')
  t.equal(languageName('haw'), 'hawaiian')
})
