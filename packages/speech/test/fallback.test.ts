import t from 'tap'
import { isContext, isSilence, needsFallback, surestOf } from '../src/fallback.ts'

const cases = [
  { id: 'a good text stays', logprob: -0.3, ratio: 1.5, noSpeech: 0.1, again: false, silent: false },
  {
    id: 'one that repeats itself is written again',
    logprob: -0.3,
    ratio: 2.5,
    noSpeech: 0.1,
    again: true,
    silent: false
  },
  { id: 'at the limits it stays', logprob: -1, ratio: 2.4, noSpeech: 0.6, again: false, silent: false },
  { id: 'an unsure one is written again', logprob: -1.1, ratio: 1.5, noSpeech: 0.6, again: true, silent: false },
  {
    id: 'an unsure one where nobody speaks is silence',
    logprob: -1.1,
    ratio: 3,
    noSpeech: 0.7,
    again: false,
    silent: true
  },
  {
    id: 'a sure one stands though nobody seems to speak',
    logprob: -0.5,
    ratio: 1.5,
    noSpeech: 0.9,
    again: false,
    silent: false
  }
]
for (const { id, logprob: averageLogprob, ratio: compressionRatio, noSpeech, again, silent } of cases) {
  t.test(id, async t => {
    t.equal(needsFallback({ averageLogprob, compressionRatio }, noSpeech), again)
    t.equal(isSilence({ averageLogprob, compressionRatio }, noSpeech), silent)
  })
}

t.test('where all texts failed, the surest that does not repeat itself counts, else the surest', async t => {
  const loop = { averageLogprob: -0.1, compressionRatio: 9 }
  const unsure = { averageLogprob: -1.5, compressionRatio: 1 }
  const surer = { averageLogprob: -1.2, compressionRatio: 1 }
  t.equal(surestOf([loop, unsure, surer]), surer)
  t.equal(surestOf([{ ...loop, averageLogprob: -0.2 }, loop]), loop)
  t.equal(surestOf([]), undefined)
})

t.test('a text written above 0.5 is no context', async t => {
  t.strictSame([0, 0.4, 0.6, 1].map(isContext), [true, true, false, false])
})
