import { type AbortOptions, type BlobStore, type EncoderManifest, MeshError, safeParse } from '@resultity/interface'
import { z } from 'zod'
import { bertWords, readBertNormalizer } from './bert-words.ts'
import { AddedTokens } from './tokenizer-added-tokens.ts'
import {
  addedTokenSchema,
  parseJson,
  TOKENIZER_BYTES_MAX,
  tokenizerInvalid,
  vocabularySchema
} from './tokenizer-definition.ts'
import { wordPieceText } from './word-piece-text.ts'

export interface EncodeInputOptions {
  /**
   * Cut what is longer off after so many tokens, the framing ones included; from {@link FRAMING_TOKENS} + 1 to the longest input.
   * Default: refuse it.
   */
  readonly truncateTo?: number
}

/** Those that begin and end an input. */
export const FRAMING_TOKENS = 2

/** Those that begin, part and end a pair of texts. */
export const PAIR_FRAMING_TOKENS = 3

/** Two texts as one input. */
export interface EncodedPair {
  readonly ids: number[]
  /** Where the second text begins, behind the token that parts them. */
  readonly second: number
}

/** Turns texts into the token ids that a sentence encoder takes. */
export interface EncoderTokenizer {
  /** Longest input in tokens, the framing ones included. */
  readonly inputTokensMax: number
  readonly vocabularySize: number
  /**
   * Token ids of `text` between the tokens that begin and end an input. Names of special tokens in the text become
   * these tokens, as in the reference. Lone surrogates count as U+FFFD.
   *
   * @throws MeshError `context_length_exceeded` when that is more than {@link inputTokensMax}
   */
  encode(text: string, options?: EncodeInputOptions): number[]
  /**
   * `tokens` between the tokens that begin and end an input.
   *
   * @throws MeshError `invalid_request` for an id that the vocabulary lacks; `context_length_exceeded`
   */
  frame(tokens: readonly number[], options?: EncodeInputOptions): number[]
  /**
   * Two texts as one input. What is cut off is taken from the longer one, token by token.
   *
   * @throws MeshError `context_length_exceeded` when both together are more than {@link inputTokensMax}
   */
  encodePair(first: string, second: string, options?: EncodeInputOptions): EncodedPair
  /** The text of token ids, without special tokens and those that have no text. */
  decode(tokens: readonly number[]): string
}

/**
 * A text of more characters than this for every token cannot fit: words are four or five characters long. It is refused
 * before anybody spends time on it.
 */
const CHARACTERS_PER_TOKEN_MAX = 32

const wordPieceSchema = z.looseObject({
  added_tokens: z.array(addedTokenSchema).max(65_536).default([]),
  normalizer: z.unknown(),
  pre_tokenizer: z.looseObject({ type: z.literal('BertPreTokenizer') }),
  post_processor: z.unknown(),
  model: z.looseObject({
    type: z.literal('WordPiece').default('WordPiece'),
    vocab: vocabularySchema,
    unk_token: z.string().default('[UNK]'),
    continuing_subword_prefix: z.string().max(16).default('##'),
    max_input_chars_per_word: z.int().positive().max(1000).default(100)
  })
})

/** Two ways in which `tokenizer.json` says which tokens an input stands between. */
const framingSchema = z.union([
  z
    .looseObject({
      type: z.literal('TemplateProcessing'),
      single: z.tuple([
        z.looseObject({ SpecialToken: z.looseObject({ id: z.string() }) }),
        z.looseObject({ Sequence: z.unknown() }),
        z.looseObject({ SpecialToken: z.looseObject({ id: z.string() }) })
      ])
    })
    .transform(({ single: [first, , last] }) => ({ first: first.SpecialToken.id, last: last.SpecialToken.id })),
  z
    .looseObject({
      type: z.literal('BertProcessing'),
      cls: z.tuple([z.string(), z.int()]),
      sep: z.tuple([z.string(), z.int()])
    })
    .transform(({ cls, sep }) => ({ first: cls[0], last: sep[0] }))
])

/** What is asked of a manifest. */
interface WithWordPieces {
  readonly tokenizer: EncoderManifest['tokenizer']
  readonly config: { readonly vocabularySize: number; readonly contextLength: number }
}

/**
 * Reads an encoder's tokenizer from its blobs.
 *
 * @throws MeshError `blob_not_found`, `model_invalid`
 */
export async function loadEncoderTokenizer(
  { tokenizer, config }: WithWordPieces,
  store: BlobStore,
  options: AbortOptions = {}
): Promise<EncoderTokenizer> {
  const { definition } = tokenizer
  if (definition.bytes > TOKENIZER_BYTES_MAX) {
    throw tokenizerInvalid(`the tokenizer has ${definition.bytes} bytes, the limit is ${TOKENIZER_BYTES_MAX}`)
  }
  return createEncoderTokenizer(await store.read(definition.sha256, options), config)
}

/**
 * Builds a WordPiece tokenizer (Wu et al., arXiv:1609.08144) from the contents of a `tokenizer.json`.
 *
 * @throws MeshError `model_invalid`
 */
export function createEncoderTokenizer(
  definition: Uint8Array,
  limits: { readonly vocabularySize: number; readonly contextLength: number }
): EncoderTokenizer {
  return new WordPieceTokenizer(definition, limits)
}

/**
 * Our own and not the library's, whose search for the longest piece takes time with the square of a word's length, so
 * that a short request could hold the event loop for a minute. The library is what the tests compare with.
 */
class WordPieceTokenizer implements EncoderTokenizer {
  readonly inputTokensMax: number
  readonly vocabularySize: number
  readonly #vocabulary: ReadonlyMap<string, number>
  readonly #added: AddedTokens
  readonly #normalizer: ReturnType<typeof readBertNormalizer>
  readonly #continuation: string
  readonly #wordCharactersMax: number
  readonly #pieceCharactersMax: number
  readonly #unknown: number
  readonly #first: number
  readonly #last: number
  /** Tokens by their ids, but for special ones; made when a text is first written. */
  #pieces: ReadonlyMap<number, string> | undefined
  readonly #special: ReadonlySet<string>
  /** The first text of the last pair: a reranker pairs one question with thousands of texts. */
  #firstText: { readonly text: string; readonly cut: boolean; readonly ids: readonly number[] } | undefined

  constructor(
    definition: Uint8Array,
    { vocabularySize, contextLength }: { readonly vocabularySize: number; readonly contextLength: number }
  ) {
    const parsed = safeParse(wordPieceSchema, parseJson(definition, 'tokenizer.json'))
    if (!parsed.success) throw tokenizerInvalid(`tokenizer.json: ${z.prettifyError(parsed.error)}`)
    const { model, added_tokens: added, normalizer, post_processor: framing } = parsed.data
    this.inputTokensMax = contextLength
    this.vocabularySize = vocabularySize
    this.#vocabulary = new Map(Object.entries(model.vocab))
    this.#added = new AddedTokens(added)
    this.#special = new Set(added.filter(({ special }) => special).map(({ content }) => content))
    this.#normalizer = readBertNormalizer(normalizer)
    this.#continuation = model.continuing_subword_prefix
    this.#wordCharactersMax = model.max_input_chars_per_word
    this.#pieceCharactersMax = this.#checkVocabulary([...this.#vocabulary, ...added.map(idOfAdded)])
    this.#unknown = this.#idOf(model.unk_token)
    const frame = safeParse(framingSchema, framing)
    if (!frame.success)
      throw tokenizerInvalid('tokenizer.json: the post_processor does not frame an input as BERT does')
    this.#first = this.#idOf(frame.data.first)
    this.#last = this.#idOf(frame.data.last)
  }

  encode(text: string, options: EncodeInputOptions = {}): number[] {
    return this.#framed(this.#tokensOf(text, options), options)
  }

  encodePair(first: string, second: string, options: EncodeInputOptions = {}): EncodedPair {
    const [a, b] = this.#fitting(this.#tokensOfFirst(first, options), this.#tokensOf(second, options), options)
    const head = [this.#first, ...a, this.#last]
    return { ids: [...head, ...b, this.#last], second: head.length }
  }

  #tokensOfFirst(text: string, options: EncodeInputOptions): readonly number[] {
    const cut = options.truncateTo !== undefined
    if (this.#firstText?.text !== text || this.#firstText.cut !== cut) {
      this.#firstText = { text, cut, ids: this.#tokensOf(text, options) }
    }
    return this.#firstText.ids
  }

  #tokensOf(text: string, options: EncodeInputOptions): number[] {
    const charactersMax = this.inputTokensMax * CHARACTERS_PER_TOKEN_MAX
    if (text.length > charactersMax && options.truncateTo === undefined) {
      throw tooLong(`${text.length} characters, and texts of more than ${charactersMax} are refused uncounted`)
    }
    const ids: number[] = []
    // of what is cut off all the same nothing is read
    for (const section of this.#added.split(text.slice(0, charactersMax).toWellFormed())) {
      if ('token' in section) ids.push(section.token.id)
      else for (const word of bertWords(section.text, this.#normalizer)) this.#encodeWord(word, ids)
    }
    return ids
  }

  /** Both, cut so that they fit together. */
  #fitting(
    first: readonly number[],
    second: readonly number[],
    { truncateTo }: EncodeInputOptions
  ): readonly [readonly number[], readonly number[]] {
    const room = (truncateTo ?? this.inputTokensMax) - PAIR_FRAMING_TOKENS
    const count = first.length + second.length
    if (count <= room) return [first, second]
    if (truncateTo === undefined) {
      const all = count + PAIR_FRAMING_TOKENS
      throw tooLong(`${all} tokens, and this model takes ${this.inputTokensMax} with the three that frame a pair`)
    }
    const [ofFirst, ofSecond] =
      first.length <= second.length
        ? sharesOf(first.length, room)
        : (sharesOf(second.length, room).toReversed() as [number, number])
    return [first.slice(0, ofFirst), second.slice(0, ofSecond)]
  }

  frame(tokens: readonly number[], options: EncodeInputOptions = {}): number[] {
    const unknown = tokens.find(token => token >= this.vocabularySize)
    if (unknown !== undefined) {
      throw new MeshError(
        'invalid_request',
        `there is no token ${unknown}: the vocabulary has ${this.vocabularySize}`,
        {
          hint:
            "Token ids are those of this model's own tokenizer. Send text instead: LangChain does with " +
            'check_embedding_ctx_length=False, and otherwise sends ids of cl100k_base.'
        }
      )
    }
    return this.#framed(tokens, options)
  }

  decode(tokens: readonly number[]): string {
    this.#pieces ??= new Map(
      [...this.#vocabulary].flatMap(([piece, id]) => (this.#special.has(piece) ? [] : [[id, piece] as const]))
    )
    const pieces = tokens.map(token => this.#pieces?.get(token))
    return wordPieceText(
      pieces.filter(piece => piece !== undefined),
      this.#continuation
    )
  }

  /** Takes the longest piece that fits, again and again; a word with a stretch that no piece fits is unknown as a whole. */
  #encodeWord(word: string, ids: number[]): void {
    const characters = Array.from(word)
    if (characters.length > this.#wordCharactersMax) {
      ids.push(this.#unknown)
      return
    }
    const pieces: number[] = []
    for (let start = 0; start < characters.length; ) {
      const found = this.#longestPiece(characters, start)
      if (found === undefined) {
        ids.push(this.#unknown)
        return
      }
      pieces.push(found.id)
      start = found.end
    }
    ids.push(...pieces)
  }

  #longestPiece(characters: readonly string[], start: number): { id: number; end: number } | undefined {
    const prefix = start === 0 ? '' : this.#continuation
    for (let end = Math.min(characters.length, start + this.#pieceCharactersMax); end > start; end--) {
      const id = this.#vocabulary.get(prefix + characters.slice(start, end).join(''))
      if (id !== undefined) return { id, end }
    }
    return undefined
  }

  #framed(tokens: readonly number[], { truncateTo }: EncodeInputOptions): number[] {
    const count = tokens.length + FRAMING_TOKENS
    if (count > this.inputTokensMax && truncateTo === undefined) {
      throw tooLong(`${count} tokens, and this model takes ${this.inputTokensMax} with the two that frame an input`)
    }
    const kept = truncateTo === undefined ? tokens : tokens.slice(0, truncateTo - FRAMING_TOKENS)
    return [this.#first, ...kept, this.#last]
  }

  #idOf(token: string): number {
    const id = this.#vocabulary.get(token)
    if (id === undefined) throw tokenizerInvalid(`tokenizer.json: the vocabulary lacks ${JSON.stringify(token)}`)
    return id
  }

  /** @returns characters of the longest token */
  #checkVocabulary(tokens: readonly (readonly [string, number])[]): number {
    let longest = 1
    for (const [token, id] of tokens) {
      if (id >= this.vocabularySize) {
        throw tokenizerInvalid(`the tokenizer has id ${id}, the model only ${this.vocabularySize} ids`)
      }
      longest = Math.max(longest, token.length)
    }
    return longest
  }
}

/**
 * Tokens of the shorter of two texts and of the longer one, which have to share so much room: the longer one is cut until it is
 * as short as the other, and then both, as in Hugging Face's `longest_first`.
 */
function sharesOf(shorter: number, room: number): [number, number] {
  const half = Math.floor(room / 2)
  return shorter <= half ? [shorter, room - shorter] : [half, room - half]
}

function idOfAdded({ content, id }: z.infer<typeof addedTokenSchema>): [string, number] {
  return [content, id]
}

function tooLong(what: string): MeshError {
  return new MeshError('context_length_exceeded', `the input has ${what}`, {
    hint: 'Send a shorter input, or have it cut off: "truncate_prompt_tokens": -1.'
  })
}
