import { safeParse } from '@resultity/interface'
import { z } from 'zod'
import { tokenizerInvalid } from './tokenizer-definition.ts'

const normalizerSchema = z.looseObject({
  type: z.literal('BertNormalizer'),
  clean_text: z.boolean().default(true),
  handle_chinese_chars: z.boolean().default(true),
  lowercase: z.boolean().default(true),
  /** Null: as `lowercase` says. */
  strip_accents: z.boolean().nullish()
})

/** How a text is made even before it is cut into words. */
export interface BertNormalizer {
  readonly clean: boolean
  readonly spaceIdeographs: boolean
  readonly lowercase: boolean
  readonly stripAccents: boolean
}

/** @throws MeshError `model_invalid` for a normalizer of another kind */
export function readBertNormalizer(step: unknown): BertNormalizer {
  const parsed = safeParse(normalizerSchema, step)
  if (!parsed.success) throw tokenizerInvalid(`tokenizer.json, normalizer: ${z.prettifyError(parsed.error)}`)
  const { clean_text, handle_chinese_chars, lowercase, strip_accents } = parsed.data
  return {
    clean: clean_text,
    spaceIdeographs: handle_chinese_chars,
    lowercase,
    stripAccents: strip_accents ?? lowercase
  }
}

/** Unicode's category "other", less what counts as space: control, format, private use, not assigned, lone surrogates. */
const CONTROL = /(?![\t\n\r])[\p{C}\ufffd]/gu
/** Blocks of CJK ideographs that the original BERT separates; others, of later versions of Unicode, it does not. */
const IDEOGRAPH =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu
const ACCENT = /\p{Mn}/gu
const CAPITAL = /[\p{Changes_When_Lowercased}]/gu
/** A run of what is neither space nor punctuation, or one punctuation mark; ASCII's symbols count as such. */
const WORD = /[^\s\p{P}!-/:-@[-`{-~]+|[\p{P}!-/:-@[-`{-~]/gu

/**
 * Cuts a text into words and punctuation marks as BERT's own tokenizer does, in the order of the reference
 * implementation, which strips accents before it makes letters small, and makes each small by itself.
 */
export function bertWords(text: string, normalizer: BertNormalizer): string[] {
  let even = text
  if (normalizer.clean) even = even.replaceAll(CONTROL, '')
  if (normalizer.spaceIdeographs) even = even.replaceAll(IDEOGRAPH, ' $& ')
  if (normalizer.stripAccents) even = even.normalize('NFD').replaceAll(ACCENT, '')
  // one by one: a whole word's last sigma would become another letter
  if (normalizer.lowercase) even = even.replaceAll(CAPITAL, letter => letter.toLowerCase())
  return even.match(WORD) ?? []
}
