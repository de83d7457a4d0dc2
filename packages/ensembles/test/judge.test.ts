import t from 'tap'
import { judgeMessages, mergedBy, pickedBy } from '../src/judge.ts'

const candidates = [
  { index: 0, text: 'Paris.' },
  { index: 2, text: 'Lyon.' }
]

t.test('the judge reads the question, every answer under a number, and what is wanted', async t => {
  const [system, user] = judgeMessages({ mode: 'pick', instructions: 'Be strict.', question: 'user: Q?', candidates })
  t.match(system, { role: 'system', content: /Be strict\./ })
  t.match(user, { role: 'user', content: /user: Q\?.*Answer 1:\nParis\..*Answer 2:\nLyon\..*JSON/s })
})

const replies = [
  { reply: '2\nIt names a city.', index: 2 },
  { reply: 'Answer 1 is better than 2.', index: 0 },
  { reply: 'Of 17 facts, answer 2 has more.', index: 2 },
  { reply: 'They are all bad.', index: undefined },
  { reply: '0', index: undefined },
  { reply: '{"answer": 2, "reasons": "1 is wrong"}', index: 2 },
  { reply: '{"answer": 2, "reasons": "It is', index: 2 },
  { reply: '{"answer": 7, "reasons": "1"}', index: undefined }
]
for (const { reply, index } of replies) {
  t.test(`"${reply}" picks ${index}`, async t => t.equal(pickedBy(reply, candidates).picked?.index, index))
}

t.test('a merged answer ends where the reasons begin', async t => {
  t.same(mergedBy('Paris.\n\nReasons: both agree.\nReasons: really.'), {
    text: 'Paris.',
    reasons: 'both agree.\nReasons: really.'
  })
  t.same(mergedBy('Paris.\n**Reasons:** both'), { text: 'Paris.', reasons: 'both' })
  t.same(mergedBy('Paris.'), { text: 'Paris.', reasons: '' })
  t.same(mergedBy('Reasons: none.'), { text: 'Reasons: none.', reasons: '' })
})
