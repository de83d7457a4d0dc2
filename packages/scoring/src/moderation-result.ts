import type { Classifier } from '@resultity/interface'
import { CATEGORIES, meaningOf } from './moderation-categories.ts'
import type { ModerationResult } from './moderation-schema.ts'
import { labelScores } from './scores.ts'

/** A label that scores as much is flagged. */
const FLAGGED_FROM = 0.5

const TEXT = ['text'] as const

/**
 * What a classifier said of a text, by OpenAI's categories: where several labels mean one, the highest counts. Labels that are
 * none of these stand beside them.
 */
export function moderationResult(numbers: Float32Array, classifier: Classifier): ModerationResult {
  const scores = new Map<string, number>(CATEGORIES.map(category => [category, 0]))
  const applied = new Set<string>()
  for (const [index, score] of labelScores(numbers, classifier).entries()) {
    const label = classifier.labels[index] ?? ''
    const meaning = meaningOf(label)
    if (meaning.kind === 'harmless') continue
    const name = meaning.kind === 'category' ? meaning.category : label
    scores.set(name, Math.max(scores.get(name) ?? 0, score))
    applied.add(name)
  }
  const flags = [...scores].map(([name, score]) => [name, score >= FLAGGED_FROM] as const)
  return {
    flagged: flags.some(([, flagged]) => flagged),
    categories: Object.fromEntries(flags),
    category_scores: Object.fromEntries(scores),
    category_applied_input_types: Object.fromEntries(
      [...scores.keys()].map(name => [name, applied.has(name) ? [...TEXT] : []])
    )
  }
}
