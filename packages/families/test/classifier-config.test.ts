import t from 'tap'
import { classifierOf } from '../src/encoders/classifier-config.ts'

const architectures = ['BertForSequenceClassification']
const one = { 0: 'LABEL_0' }
const three = { 0: 'a', 1: 'b', 2: 'c' }

t.test('labels, and how scores are made of their numbers', async t => {
  const activation = (config: object) => classifierOf('f', { architectures, ...config })?.activation
  t.strictSame(classifierOf('f', { architectures, id2label: three })?.labels, ['a', 'b', 'c'])
  t.equal(classifierOf('f', { architectures: ['BertModel'], id2label: one }), undefined)
  t.strictSame(classifierOf('f', { architectures })?.labels.length, 2, 'as in transformers')
  t.equal(activation({ id2label: one }), 'sigmoid')
  t.equal(activation({ id2label: three }), 'softmax')
  t.equal(activation({ id2label: three, problem_type: 'multi_label_classification' }), 'sigmoid')
  t.equal(activation({ id2label: one, problem_type: 'regression' }), 'none')
  const identity = 'torch.nn.modules.linear.Identity'
  t.equal(activation({ id2label: one, sbert_ce_default_activation_function: identity }), 'none')
  t.equal(activation({ id2label: one, sentence_transformers: { activation_fn: identity } }), 'none')
})

t.test('what would score otherwise is refused', async t => {
  const refused = (config: object, message: RegExp) =>
    t.throws(() => classifierOf('config.json', { architectures, ...config }), { code: 'model_invalid', message })
  refused({ id2label: { 1: 'a', 2: 'b' } }, /id2label/)
  refused({ id2label: one, sentence_transformers: { activation_fn: 'torch.nn.GELU' } }, /GELU/)
})
