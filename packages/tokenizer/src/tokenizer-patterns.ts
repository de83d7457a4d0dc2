import { safeParse } from '@resultity/interface'
import { z } from 'zod'
import { GPT2_PATTERN, type Step, stepSchema, type TokenizerDefinition } from './tokenizer-definition.ts'
import { preTokenizerPatterns } from './tokenizer-pre-tokenizers.ts'

const afterWords = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'
const word = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"

/** Patterns of published tokenizers that take time in proportion to any text. */
const KNOWN: ReadonlySet<string> = new Set([
  ...preTokenizerPatterns(),
  GPT2_PATTERN,
  '\\p{N}',
  '\\p{N}+',
  '\\p{N}{1,3}',
  // Llama 3 and Qwen 2 as their tokenizer.json has them
  `${word}|\\p{N}{1,3}|${afterWords}`,
  `${word}|\\p{N}|${afterWords}`
])

const regexSchema = z.looseObject({ Regex: z.string() })

/**
 * Whether all patterns by which a tokenizer normalizes and cuts text are known to take time in proportion to it. Others come
 * with the model, and may take for ever over the shortest text.
 */
export function cutsQuickly({ normalizer, pre_tokenizer: preTokenizer }: TokenizerDefinition): boolean {
  return [normalizer, preTokenizer].every(step => step === null || isQuick(step))
}

function isQuick(step: Step): boolean {
  const inner = safeParse(z.array(stepSchema), step.normalizers ?? step.pretokenizers)
  if (inner.success && !inner.data.every(isQuick)) return false
  const pattern = safeParse(regexSchema, step.pattern)
  return !pattern.success || KNOWN.has(pattern.data.Regex)
}
