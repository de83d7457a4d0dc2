import { previousTokensMax } from '@resultity/interface'
import t from 'tap'
import { openingTokens, taskTokens, windowTokensMax } from '../src/decoding-prompt.ts'
import { config } from './support/scripted-speech.ts'

const { startOfTranscript, startOfPrevious, transcribe, translate } = config.tokens

t.test('a prompt is what was said before, the beginning, the language and the task', async t => {
  t.strictSame(openingTokens(config, []), [startOfTranscript])
  t.strictSame(openingTokens(config, [1, 2]), [startOfPrevious, 1, 2, startOfTranscript])
  t.strictSame(taskTokens(config, 'de', 'transcribe'), [23, transcribe])
  t.strictSame(taskTokens(config, 'en', 'translate'), [22, translate])
})

t.test('a model for English is told neither', async t => {
  t.strictSame(taskTokens({ ...config, multilingual: false, languages: {} }, 'en', 'transcribe'), [])
})

t.test('of what was said before, the last tokens count, less than half of the context', async t => {
  const long = Array.from({ length: 100 }, (_, index) => index)
  t.equal(previousTokensMax(config), 31)
  t.strictSame(openingTokens(config, long).slice(1, -1), long.slice(-31))
})

t.test('a text takes half of the context, and what is left of it at the most', async t => {
  t.equal(windowTokensMax(config, 3), 32)
  t.equal(windowTokensMax(config, 40), 24)
})

t.test('a language that the model does not know is named', async t => {
  t.throws(() => taskTokens(config, 'xx', 'transcribe'), { code: 'invalid_request', details: { param: 'language' } })
})
