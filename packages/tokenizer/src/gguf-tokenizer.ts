import { safeParse } from '@resultity/interface'
import { z } from 'zod'
import { type GgufVocabulary, type Merge, mergesFromScores, TokenType } from './gguf-vocabulary.ts'
import { mainTemplate } from './tokenizer-config.ts'
import { type Step, TOKENS_MAX, tokenizerInvalid } from './tokenizer-definition.ts'
import { endTokenIds, type TokenizerFiles } from './tokenizer-files.ts'
import { preTokenizerKind, preTokenizerStep } from './tokenizer-pre-tokenizers.ts'

/** Any number: one that is no token's, such as -1 or 4294967295, stands for none. */
const tokenId = z.union([z.int(), z.bigint().transform(Number)])
const textList = z.custom<readonly string[]>(isListOf('string'), 'expected a list of texts')
const numberList = z.custom<readonly number[]>(isListOf('number'), 'expected a list of numbers')

const metadataSchema = z.looseObject({
  'tokenizer.ggml.model': z.string(),
  'tokenizer.ggml.pre': z.string().default('default'),
  'tokenizer.ggml.tokens': textList,
  'tokenizer.ggml.scores': numberList.optional(),
  'tokenizer.ggml.merges': textList.optional(),
  'tokenizer.ggml.token_type': numberList.optional(),
  'tokenizer.ggml.bos_token_id': tokenId.optional(),
  'tokenizer.ggml.eos_token_id': tokenId.optional(),
  'tokenizer.ggml.eot_token_id': tokenId.optional(),
  'tokenizer.ggml.eom_token_id': tokenId.optional(),
  'tokenizer.ggml.unknown_token_id': tokenId.optional(),
  'tokenizer.ggml.padding_token_id': tokenId.optional(),
  'tokenizer.ggml.add_bos_token': z.boolean().optional(),
  'tokenizer.ggml.add_space_prefix': z.boolean().default(true),
  'tokenizer.chat_template': z.string().optional()
})
type Metadata = z.infer<typeof metadataSchema>

function isListOf(type: 'string' | 'number'): (value: unknown) => boolean {
  return value => Array.isArray(value) && value.length <= TOKENS_MAX && value.every(item => typeof item === type)
}

/**
 * Builds the `tokenizer.json` and `tokenizer_config.json` that equal the tokenizer in a GGUF file's metadata: byte-level
 * BPE (`gpt2`) and SentencePiece BPE with scores (`llama`). The same metadata gives the same bytes.
 *
 * @throws MeshError `model_invalid` when a key is missing or of a wrong type, or the kind is not supported
 */
export function tokenizerFilesFromGguf(metadata: Readonly<Record<string, unknown>>): TokenizerFiles {
  const parsed = safeParse(metadataSchema, metadata)
  if (!parsed.success) throw tokenizerInvalid(`GGUF tokenizer metadata: ${z.prettifyError(parsed.error)}`)
  const keys = parsed.data
  const vocabulary = readVocabulary(keys)
  const { steps, addBos } = tokenizerSteps(keys, vocabulary)
  const nameOf = (id: number | undefined): string | undefined => (id === undefined ? undefined : vocabulary.tokens[id])
  const bos = nameOf(keys['tokenizer.ggml.bos_token_id'])
  const added = addedTokens(vocabulary)
  const encoder = new TextEncoder()
  return {
    definition: encoder.encode(
      JSON.stringify({
        version: '1.0',
        truncation: null,
        padding: null,
        added_tokens: added,
        ...steps,
        post_processor: addBos && bos !== undefined ? beginTemplate(bos, vocabulary.ids.get(bos) ?? 0) : null
      })
    ),
    config: encoder.encode(
      JSON.stringify({
        tokenizer_class: 'PreTrainedTokenizerFast',
        clean_up_tokenization_spaces: false,
        add_bos_token: addBos,
        bos_token: bos,
        eos_token: nameOf(keys['tokenizer.ggml.eos_token_id']),
        unk_token: nameOf(keys['tokenizer.ggml.unknown_token_id']),
        pad_token: nameOf(keys['tokenizer.ggml.padding_token_id']),
        chat_template: chatTemplate(keys)
      })
    ),
    endTokenIds: endTokenIds(
      added.filter(token => token.special),
      [
        keys['tokenizer.ggml.eos_token_id'],
        keys['tokenizer.ggml.eot_token_id'],
        keys['tokenizer.ggml.eom_token_id']
      ].filter(id => isToken(id, vocabulary))
    )
  }
}

function isToken(id: number | undefined, { tokens }: GgufVocabulary): id is number {
  return id !== undefined && tokens[id] !== undefined
}

/** Further templates have keys of their own, one of which may be all there is. */
function chatTemplate(keys: Metadata): string | undefined {
  const main = keys['tokenizer.chat_template']
  if (main !== undefined && main.trim() !== '') return main
  const prefix = 'tokenizer.chat_template.'
  const named = Object.entries(keys).flatMap(([key, template]) =>
    key.startsWith(prefix) && typeof template === 'string' ? [{ name: key.slice(prefix.length), template }] : []
  )
  return mainTemplate(named)
}

function readVocabulary(keys: Metadata): GgufVocabulary {
  const tokens = keys['tokenizer.ggml.tokens']
  const types = keys['tokenizer.ggml.token_type'] ?? tokens.map(() => TokenType.normal)
  if (tokens.length === 0) throw tokenizerInvalid('GGUF tokenizer metadata: the vocabulary is empty')
  if (types.length !== tokens.length) {
    throw tokenizerInvalid(`GGUF tokenizer metadata: ${tokens.length} tokens, but ${types.length} token types`)
  }
  return { tokens, types, ids: new Map(tokens.map((token, id) => [token, id])) }
}

interface TokenizerSteps {
  readonly steps: {
    readonly normalizer: Step | null
    readonly pre_tokenizer: Step | null
    readonly decoder: Step
    readonly model: object
  }
  readonly addBos: boolean
}

function tokenizerSteps(keys: Metadata, vocabulary: GgufVocabulary): TokenizerSteps {
  switch (keys['tokenizer.ggml.model']) {
    case 'gpt2':
      return byteLevelSteps(keys, vocabulary)
    case 'llama':
      return sentencePieceSteps(keys, vocabulary)
    default:
      throw tokenizerInvalid(
        `tokenizer.ggml.model is ${JSON.stringify(keys['tokenizer.ggml.model'].slice(0, 64))}; supported are gpt2 and llama`
      )
  }
}

function byteLevelSteps(keys: Metadata, vocabulary: GgufVocabulary): TokenizerSteps {
  const kind = preTokenizerKind(keys['tokenizer.ggml.pre'])
  const merges = keys['tokenizer.ggml.merges']
  if (merges === undefined) throw tokenizerInvalid('GGUF tokenizer metadata: tokenizer.ggml.merges is missing')
  return {
    addBos: keys['tokenizer.ggml.add_bos_token'] ?? kind.addBos,
    steps: {
      normalizer: null,
      pre_tokenizer: preTokenizerStep(kind),
      decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      model: bpeModel(vocabulary, { merges, unknown: null, byteFallback: false, ignoreMerges: kind.ignoreMerges })
    }
  }
}

function sentencePieceSteps(keys: Metadata, vocabulary: GgufVocabulary): TokenizerSteps {
  const scores = keys['tokenizer.ggml.scores']
  if (scores?.length !== vocabulary.tokens.length) {
    throw tokenizerInvalid('GGUF tokenizer metadata: tokenizer.ggml.scores must have one number a token')
  }
  const prefixed = keys['tokenizer.ggml.add_space_prefix']
  const toSpace: Step = { type: 'Replace', pattern: { String: '\u2581' }, content: ' ' }
  const fromSpace: Step = { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' }
  const named = keys['tokenizer.ggml.unknown_token_id']
  const unknown = isToken(named, vocabulary) ? named : vocabulary.types.indexOf(TokenType.unknown)
  return {
    addBos: keys['tokenizer.ggml.add_bos_token'] ?? true,
    steps: {
      normalizer: {
        type: 'Sequence',
        normalizers: prefixed ? [{ type: 'Prepend', prepend: '\u2581' }, fromSpace] : [fromSpace]
      },
      pre_tokenizer: null,
      decoder: {
        type: 'Sequence',
        decoders: [
          toSpace,
          { type: 'ByteFallback' },
          { type: 'Fuse' },
          ...(prefixed ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : [])
        ]
      },
      model: bpeModel(vocabulary, {
        merges: mergesFromScores(vocabulary, scores),
        unknown: vocabulary.tokens[unknown] ?? null,
        byteFallback: vocabulary.types.includes(TokenType.byte),
        ignoreMerges: false
      })
    }
  }
}

interface BpeOptions {
  readonly merges: readonly (string | Merge)[]
  readonly unknown: string | null
  readonly byteFallback: boolean
  readonly ignoreMerges: boolean
}

function bpeModel(vocabulary: GgufVocabulary, options: BpeOptions): object {
  return {
    type: 'BPE',
    dropout: null,
    unk_token: options.unknown,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: options.unknown !== null,
    byte_fallback: options.byteFallback,
    ignore_merges: options.ignoreMerges,
    vocab: Object.fromEntries(vocabulary.ids),
    merges: options.merges
  }
}

interface AddedTokenEntry {
  readonly id: number
  readonly content: string
  readonly special: boolean
  readonly single_word: false
  readonly lstrip: false
  readonly rstrip: false
  readonly normalized: false
}

function addedTokens({ tokens, types }: GgufVocabulary): AddedTokenEntry[] {
  const entries: AddedTokenEntry[] = []
  for (const [id, content] of tokens.entries()) {
    const special = types[id] === TokenType.control || types[id] === TokenType.unknown
    if (content === '' || (!special && types[id] !== TokenType.userDefined)) continue
    entries.push({ id, content, special, single_word: false, lstrip: false, rstrip: false, normalized: false })
  }
  return entries
}

function beginTemplate(bos: string, id: number): Step {
  const begin = { SpecialToken: { id: bos, type_id: 0 } }
  const text = { Sequence: { id: 'A', type_id: 0 } }
  return {
    type: 'TemplateProcessing',
    single: [begin, text],
    pair: [begin, text, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: { [bos]: { id: bos, ids: [id], tokens: [bos] } }
  }
}
