import { MeshError, safeParse } from '@resultity/interface'
import { z } from 'zod'
import { BYTE_LEVEL_ALPHABET } from './byte-level-alphabet.ts'
import { hasNestedRepeats, PATTERN_CHARS_MAX } from './endless-patterns.ts'

/** Largest tokenizer file read; the biggest published `tokenizer.json` has some 35 MB. */
export const TOKENIZER_BYTES_MAX = 134_217_728

/** Largest vocabulary accepted, in tokens; the largest published one has some 260,000. */
export const TOKENS_MAX = 4_194_304

/** A token that is matched in the text before any other rule, as `tokenizer.json` lists it. */
export const addedTokenSchema = z.object({
  id: z.int().min(0).max(TOKENS_MAX),
  content: z.string().min(1).max(1024),
  special: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  single_word: z.boolean().default(false)
})
export type AddedToken = z.infer<typeof addedTokenSchema>

/** One step of a `tokenizer.json` pipeline: an object that names its `type`. */
export const stepSchema = z.looseObject({ type: z.string() })
export type Step = z.infer<typeof stepSchema>

/** Tokens and their ids. */
export const vocabularySchema = z.custom<Record<string, number>>(isVocabulary, 'the vocabulary must map tokens to ids')

const definitionSchema = z.looseObject({
  added_tokens: z.array(addedTokenSchema).max(65_536).default([]),
  normalizer: stepSchema.nullish().transform(step => step ?? null),
  pre_tokenizer: stepSchema.nullish().transform(step => step ?? null),
  decoder: stepSchema.nullish().transform(step => step ?? null),
  model: z.looseObject({
    type: z
      .literal('BPE', 'a model that generates text needs a byte-pair-encoding tokenizer (type BPE)')
      .default('BPE'),
    vocab: vocabularySchema,
    merges: z.custom<readonly unknown[]>(Array.isArray, 'the merges must be a list'),
    unk_token: z.string().nullish()
  })
})

/** The parts of a Hugging Face `tokenizer.json` that this package reads; the rest is passed on as it is. */
export type TokenizerDefinition = z.infer<typeof definitionSchema>

// hand-written: a schema of a record takes a second for a big vocabulary
function isVocabulary(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const ids = Object.values(value)
  return (
    ids.length > 0 && ids.length <= TOKENS_MAX && ids.every(id => Number.isInteger(id) && id >= 0 && id < TOKENS_MAX)
  )
}

/**
 * Reads a `tokenizer.json`.
 *
 * @throws MeshError `model_invalid` when it is not JSON, breaks the schema or is of an unsupported kind
 */
export function parseTokenizerDefinition(bytes: Uint8Array): TokenizerDefinition {
  const parsed = safeParse(definitionSchema, parseJson(bytes, 'tokenizer.json'))
  if (!parsed.success) throw tokenizerInvalid(`tokenizer.json: ${z.prettifyError(parsed.error)}`)
  for (const step of [parsed.data.normalizer, parsed.data.pre_tokenizer]) if (step !== null) checkPatterns(step)
  return parsed.data
}

const patternSchema = z.union([z.looseObject({ Regex: z.string() }), z.looseObject({ String: z.string() })])

/** The library only warns, on the console, of a step whose pattern it cannot read. */
function checkPatterns(step: Step): void {
  const inner = safeParse(z.array(stepSchema), step.normalizers ?? step.pretokenizers)
  if (inner.success) for (const each of inner.data) checkPatterns(each)
  const pattern = safeParse(patternSchema, step.pattern).data
  const matches = step.type === 'Split' || step.type === 'Replace'
  if (matches && pattern === undefined) throw tokenizerInvalid(`tokenizer.json: a ${step.type} step has no pattern`)
  const regex = pattern !== undefined && 'Regex' in pattern ? String(pattern.Regex) : ''
  if (regex.length > PATTERN_CHARS_MAX || hasNestedRepeats(regex)) {
    const shown = JSON.stringify(regex.slice(0, 80))
    throw tokenizerInvalid(
      `tokenizer.json: the pattern ${shown} of a ${step.type} step is too long or repeats what repeats already`
    )
  }
}

/** True for a `tokenizer.json` of an encoder. @throws MeshError `model_invalid` when the bytes are no JSON */
export function isWordPiece(definition: Uint8Array): boolean {
  const kind = z.looseObject({ model: z.looseObject({ type: z.literal('WordPiece') }) })
  return safeParse(kind, parseJson(definition, 'tokenizer.json')).success
}

/** @throws MeshError `model_invalid` when the bytes are no JSON; the message names `file` */
export function parseJson(bytes: Uint8Array, file: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw tokenizerInvalid(`${file} is not JSON`, error)
  }
}

export function tokenizerInvalid(message: string, cause?: unknown, hint?: string): MeshError {
  return new MeshError('model_invalid', message, {
    hint:
      hint ?? 'Download the model again, or choose one with a byte-pair-encoding tokenizer (an encoder: WordPiece).',
    ...(cause === undefined ? {} : { cause })
  })
}

/** How GPT-2 cuts text into words; what the `ByteLevel` step does when `use_regex` is on. */
export const GPT2_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

/** A `Split` step that makes every match of `regex` a piece of its own. */
export function splitStep(regex: string): Step {
  return { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false }
}

/**
 * Rewrites the pre-tokenizer where `@huggingface/tokenizers` 0.2.0 differs from the reference implementation into an
 * equivalent one where it does not:
 *
 * - `Digits` there knows ASCII digits only; the reference takes every numeric character.
 * - `ByteLevel`'s built-in pattern there uses JavaScript's `\s`, which has U+FEFF and lacks U+0085. Its `Split`
 *   step reads `\s` as the reference does.
 * - `Split` there knows the behaviours `Removed` and `Isolated` and takes every other for the latter.
 * - A byte that the vocabulary lacks is dropped by both where there is no unknown token, but there after merging and
 *   in the reference before, so that its neighbours may merge.
 *
 * @throws MeshError `model_invalid` for a `Split` behaviour that would be misread
 */
export function equivalentPreTokenizer({ pre_tokenizer: step, model }: TokenizerDefinition): Step | null {
  const equivalent = equivalentStep(step)
  const missing = model.unk_token == null && model.byte_fallback !== true ? missingBytes(model.vocab) : ''
  if (equivalent === null || missing === '') return equivalent
  const drop: Step = { type: 'Replace', pattern: { Regex: `[${missing}]` }, content: '' }
  return { type: 'Sequence', pretokenizers: [equivalent, drop] }
}

/** The byte-level letters that no token stands for, escaped for a character class; empty where the alphabet is not byte-level. */
function missingBytes(vocabulary: Readonly<Record<string, number>>): string {
  const missing = BYTE_LEVEL_ALPHABET.filter(letter => !Object.hasOwn(vocabulary, letter))
  if (missing.length > 128) return ''
  return missing.map(letter => `\\u{${letter.charCodeAt(0).toString(16)}}`).join('')
}

function equivalentStep(step: Step | null): Step | null {
  switch (step?.type) {
    case 'Sequence': {
      const steps = safeParse(z.array(stepSchema), step.pretokenizers)
      if (!steps.success) throw tokenizerInvalid('tokenizer.json: a pre_tokenizer Sequence lists no steps')
      return { ...step, pretokenizers: steps.data.map(inner => equivalentStep(inner)) }
    }
    case 'Digits':
      return splitStep(step.individual_digits === true ? '\\p{N}' : '\\p{N}+')
    case 'ByteLevel':
      // with a prefix space the words are cut after the space is added, so the order cannot be changed
      if (step.use_regex === false || step.add_prefix_space === true) return step
      return { type: 'Sequence', pretokenizers: [splitStep(GPT2_PATTERN), { ...step, use_regex: false }] }
    case 'Split':
      if (step.behavior !== 'Isolated' && step.behavior !== 'Removed' && step.invert !== true) {
        throw tokenizerInvalid(`tokenizer.json: Split behaviour ${String(step.behavior)} is not supported`)
      }
      return step
    default:
      return step ?? null
  }
}
