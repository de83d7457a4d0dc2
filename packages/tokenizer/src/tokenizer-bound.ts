import { safeParse } from '@resultity/interface'
import { z } from 'zod'
import { BYTE_LEVEL_ALPHABET } from './byte-level-alphabet.ts'
import { type Step, stepSchema, type TokenizerDefinition } from './tokenizer-definition.ts'

/** Most UTF-16 units that normalizing makes one of, generously: a mathematical letter with three accents. */
const COMPOSED_MAX = 8

/** The 256 tokens by which a text vocabulary spells what it has no other token for. */
const BYTE_TOKENS = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)

/**
 * Most UTF-16 units of a text that one token stands for; infinite where a rule leaves out text of any length. A text with
 * more for every position of a context cannot fit it, which is known without making its tokens.
 *
 * Sound because no token's name is shorter than what it stands for: byte-level names have a letter for every byte, others
 * are the text itself or, such as `<0x0A>`, longer.
 */
export function charactersPerTokenMax(definition: TokenizerDefinition): number {
  const { added_tokens: added, normalizer, pre_tokenizer: preTokenizer, model } = definition
  const takesSpace = added.some(token => token.lstrip || token.rstrip)
  if (takesSpace || !cutKeepsAll(preTokenizer) || !spellsAll(definition)) return Number.POSITIVE_INFINITY
  let longest = 2
  for (const token of Object.keys(model.vocab)) longest = Math.max(longest, token.length)
  for (const { content } of added) longest = Math.max(longest, content.length)
  return longest * shrinkage(normalizer)
}

/** Nothing is dropped for want of a token, and no two unknown characters become one token. */
function spellsAll({ pre_tokenizer: preTokenizer, model }: TokenizerDefinition): boolean {
  const has = (token: string): boolean => Object.hasOwn(model.vocab, token)
  if (isByteLevel(preTokenizer) && BYTE_LEVEL_ALPHABET.every(has)) return true
  if (model.byte_fallback === true && BYTE_TOKENS.every(has)) return true
  return model.unk_token != null && model.fuse_unk !== true
}

function isByteLevel(step: Step | null): boolean {
  return step !== null && (step.type === 'ByteLevel' || innerSteps(step).some(isByteLevel))
}

function cutKeepsAll(step: Step | null): boolean {
  switch (step?.type) {
    case undefined:
    case 'ByteLevel':
    case 'Digits':
    case 'Metaspace':
      return true
    case 'Split':
      return step.behavior === 'Isolated'
    case 'Sequence':
      return innerSteps(step).every(cutKeepsAll)
    default:
      return false
  }
}

/** How many units of text become one in the worst case. */
function shrinkage(step: Step | null): number {
  switch (step?.type) {
    case undefined:
    case 'Prepend':
    case 'Lowercase':
      return 1
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return COMPOSED_MAX
    case 'Replace': {
      const replace = safeParse(replaceSchema, step)
      // a regular expression may match anything
      if (!replace.success) return Number.POSITIVE_INFINITY
      const { pattern, content } = replace.data
      return Math.max(1, pattern.String.length / content.length)
    }
    case 'Sequence':
      return innerSteps(step).reduce((product, inner) => product * shrinkage(inner), 1)
    default:
      return Number.POSITIVE_INFINITY
  }
}

const replaceSchema = z.looseObject({
  pattern: z.looseObject({ String: z.string() }),
  content: z.string()
})

function innerSteps(step: Step): Step[] {
  return safeParse(z.array(stepSchema), step.normalizers ?? step.pretokenizers).data ?? []
}
