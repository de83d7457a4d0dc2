import t from 'tap'
import { meaningOf } from '../src/moderation-categories.ts'
import { moderationResult } from '../src/moderation-result.ts'
import { labelScores } from '../src/scores.ts'

t.test('labels of published models in the words of OpenAI', async t => {
  const category = (label: string) => {
    const meaning = meaningOf(label)
    return meaning.kind === 'category' ? meaning.category : meaning.kind
  }
  t.strictSame(
    ['toxic', 'identity_hate', 'Severe-Toxic', 'S3', 'self-harm', 'sexual/minors', 'OK', 'not toxic', 'spam'].map(
      category
    ),
    ['harassment', 'hate', 'harassment', 'sexual/minors', 'self-harm', 'sexual/minors', 'harmless', 'harmless', 'own']
  )
})

t.test('of several labels for a category the highest counts; a label of its own stands beside them', async t => {
  const classifier = { labels: ['toxic', 'insult', 'spam', 'safe'], activation: 'none' as const }
  const {
    flagged,
    categories,
    category_scores: scores
  } = moderationResult(Float32Array.of(0.25, 0.75, 0.5, 1), classifier)
  t.match(scores, { harassment: 0.75, spam: 0.5, hate: 0 })
  t.match(categories, { harassment: true, spam: true, hate: false })
  t.notOk('safe' in scores)
  t.ok(flagged)
  t.notOk(moderationResult(Float32Array.of(0, 0, 0, 1), classifier).flagged)
})

t.test('scores of labels: each by itself, all together, or as they are', async t => {
  t.strictSame(labelScores(Float32Array.of(0, 100, -100), { activation: 'sigmoid' }).map(Math.round), [1, 1, 0])
  const together = labelScores(Float32Array.of(800, 800, -800), { activation: 'softmax' })
  t.strictSame(together, [0.5, 0.5, 0])
  t.strictSame(labelScores(Float32Array.of(2, -3), { activation: 'none' }), [2, -3])
})
