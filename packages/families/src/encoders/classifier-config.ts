import { type Classifier, modelInvalid } from '@resultity/interface'
import { z } from 'zod'

/** Fields of a `config.json` that speak of a classifier's head. */
export const classifierFields = {
  architectures: z.array(z.string()).nullish(),
  /** Names of the labels by their numbers. */
  id2label: z.record(z.string(), z.string()).nullish(),
  problem_type: z.string().nullish(),
  /** As sentence-transformers says how scores are made: in newer releases, and in older ones. */
  sentence_transformers: z.looseObject({ activation_fn: z.string().nullish() }).nullish(),
  sbert_ce_default_activation_function: z.string().nullish()
}

const fields = z.looseObject(classifierFields)
type ClassifierFields = z.infer<typeof fields>

const CLASSIFIER = 'BertForSequenceClassification'

/** What transformers calls two labels that nobody named. */
const UNNAMED = ['LABEL_0', 'LABEL_1']

/**
 * The classifier that a `config.json` describes; undefined where it describes none.
 *
 * @throws MeshError `model_invalid` for labels without an order, and for scores that are made in another way
 */
export function classifierOf(file: string, config: ClassifierFields): Classifier | undefined {
  if (config.architectures?.[0] !== CLASSIFIER) return undefined
  const named = Object.entries(config.id2label ?? {}).toSorted(([a], [b]) => Number(a) - Number(b))
  if (named.some(([id], index) => Number(id) !== index)) {
    throw modelInvalid(file, 'id2label does not name the labels from 0 on without a gap')
  }
  const labels = named.length === 0 ? UNNAMED : named.map(([, label]) => label)
  return { labels, activation: activationOf(file, config, labels.length) }
}

function activationOf(file: string, config: ClassifierFields, labels: number): Classifier['activation'] {
  const { problem_type: problem, sentence_transformers: newer, sbert_ce_default_activation_function: older } = config
  const named = (newer?.activation_fn ?? older)?.split('.').at(-1)
  if (named === 'Identity') return 'none'
  if (named === 'Sigmoid') return 'sigmoid'
  if (named === 'Softmax') return 'softmax'
  if (named !== undefined) {
    throw modelInvalid(file, `scores by ${named} are not supported`, 'Supported are Sigmoid, Softmax and Identity.')
  }
  if (problem === 'regression') return 'none'
  return labels === 1 || problem === 'multi_label_classification' ? 'sigmoid' : 'softmax'
}
