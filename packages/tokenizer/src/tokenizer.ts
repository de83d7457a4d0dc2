import { Tokenizer } from '@huggingface/tokenizers'
import {
  type AbortOptions,
  type BlobStore,
  type DecoderManifest,
  isSpeech,
  MeshError,
  type SpeechManifest
} from '@resultity/interface'
import type { ChatMessage } from './templates/chat-message.ts'
import { ChatTemplate, type ChatTemplateOptions } from './templates/chat-template.ts'
import type { TemplateCapabilities } from './templates/template-capabilities.ts'
import { AddedTokens } from './tokenizer-added-tokens.ts'
import { beginTokenIds } from './tokenizer-begin.ts'
import { charactersPerTokenMax } from './tokenizer-bound.ts'
import { readTokenizerConfig, type TokenizerConfig } from './tokenizer-config.ts'
import {
  createTokenDecoder,
  type TokenDecoder,
  type TokenSpelling,
  tokenBytes,
  tokenSpelling
} from './tokenizer-decoder.ts'
import {
  equivalentPreTokenizer,
  parseTokenizerDefinition,
  TOKENIZER_BYTES_MAX,
  tokenizerInvalid
} from './tokenizer-definition.ts'
import type { TokenizerFiles } from './tokenizer-files.ts'
import { cutsQuickly } from './tokenizer-patterns.ts'

/** Pieces of a text, words mostly, between two looks at how many tokens there are by now. */
const PIECES_AT_ONCE = 1000

/**
 * Longest piece whose tokens the library remembers, of 10,000: some 10 MB in all. Its own limit of 256 lets clients who send
 * endless new words fill 100 MB of every model.
 */
const CACHED_CHARACTERS_MAX = 24

export interface EncodeOptions {
  /**
   * `parse` (default): the name of a special token in the text becomes that token. `text`: it stays the letters
   * it is made of; for text that comes from outside.
   */
  readonly specialTokens?: 'parse' | 'text'
}

export interface DecodeOptions {
  /** `hide` (default): special tokens are no text. `name`: each is its name. */
  readonly specialTokens?: 'hide' | 'name'
  /** Special tokens that are text by their names although others are hidden. Default none. */
  readonly named?: ReadonlySet<string>
}

/** A model's vocabulary and its chat template. */
export interface ModelTokenizer {
  /** Ids that end an answer. */
  readonly endTokenIds: ReadonlySet<number>
  /** Token that begins a text, where the model has one; chat templates write it themselves. */
  readonly bosTokenId: number | undefined
  /** Which conversations the chat template can write. */
  readonly capabilities: TemplateCapabilities
  /** Ids that belong before a text that is no conversation, as the model was trained; often none. */
  readonly beginTokenIds: readonly number[]
  /** Its text rules are known to take time in proportion to a text: a short one may be read on the event loop. */
  readonly cutsQuickly: boolean
  /** Characters of the longest text that may fit the context; infinite for vocabularies that leave out text. */
  readonly charactersMax: number
  /**
   * Token ids of `text`. Adds no begin or end token. Lone surrogates count as U+FFFD.
   *
   * @throws MeshError `context_length_exceeded` when the text is longer than any that fits the context, or twice as long
   * as the context
   */
  encode(text: string, options?: EncodeOptions): number[]
  /**
   * The prompt of a conversation as text, for people to read.
   *
   * @throws MeshError `invalid_request` when the template refuses the messages
   */
  applyChatTemplate(messages: readonly ChatMessage[], options?: ChatTemplateOptions): string
  /**
   * The prompt of a conversation as token ids. Names of special tokens inside the messages stay ordinary text,
   * so that a message cannot forge another turn.
   *
   * @throws MeshError `invalid_request` when the template refuses the messages; `context_length_exceeded`
   */
  encodeChat(messages: readonly ChatMessage[], options?: ChatTemplateOptions): number[]
  /** A decoder for one answer. */
  decoder(options?: DecodeOptions): TokenDecoder
  /** Text of `ids` without special tokens; what {@link decoder} gives for them in any portions. */
  decode(ids: Iterable<number>): string
  /** How the vocabulary itself writes a token; undefined for an id without one. */
  nameOf(id: number): string | undefined
  /** The token that the vocabulary writes so; undefined where there is none. */
  idOf(name: string): number | undefined
  /** What the model's publisher says of its tokenizer. */
  readonly config: TokenizerConfig
}

/** What {@link createTokenizer} must know of the model around the tokenizer. */
export interface TokenizerLimits {
  /** Rows of the embedding: every id is smaller. */
  readonly vocabularySize: number
  /** Positions of the longest context. */
  readonly contextLength: number
}

export interface LoadTokenizerOptions extends AbortOptions {
  /** Positions of the longest context that is served; default the model's own. */
  readonly contextLength?: number
}

/**
 * Reads a model's tokenizer from its blobs. Building a big vocabulary holds the event loop for some 100 ms: do it
 * when a model is loaded, not when a request comes.
 *
 * @throws MeshError `blob_not_found`, `model_invalid`
 */
export async function loadTokenizer(
  manifest: DecoderManifest | SpeechManifest,
  store: BlobStore,
  { contextLength = contextOf(manifest), ...options }: LoadTokenizerOptions = {}
): Promise<ModelTokenizer> {
  const { definition, config, endTokenIds } = manifest.tokenizer
  if (definition.bytes + config.bytes > TOKENIZER_BYTES_MAX) {
    throw tokenizerInvalid(
      `the tokenizer has ${definition.bytes + config.bytes} bytes, the limit is ${TOKENIZER_BYTES_MAX}`
    )
  }
  const files = {
    definition: await store.read(definition.sha256, options),
    config: await store.read(config.sha256, options),
    endTokenIds
  }
  return createTokenizer(files, { vocabularySize: manifest.config.vocabularySize, contextLength })
}

function contextOf(manifest: DecoderManifest | SpeechManifest): number {
  return isSpeech(manifest) ? manifest.config.textContext : manifest.config.contextLength
}

/**
 * Builds a tokenizer from the contents of its files.
 *
 * @throws MeshError `model_invalid`
 */
export function createTokenizer(files: TokenizerFiles, limits: TokenizerLimits): ModelTokenizer {
  return new BpeTokenizer(files, limits)
}

const NONE: ReadonlySet<number> = new Set()
const NO_NAMES: ReadonlySet<string> = new Set()

/** `@huggingface/tokenizers` for ordinary text; added tokens, bytes and templates are ours. */
class BpeTokenizer implements ModelTokenizer {
  readonly endTokenIds: ReadonlySet<number>
  readonly bosTokenId: number | undefined
  readonly beginTokenIds: readonly number[]
  readonly charactersMax: number
  readonly cutsQuickly: boolean
  readonly config: TokenizerConfig
  readonly #library: Tokenizer
  readonly #added: AddedTokens
  readonly #addedIds: ReadonlyMap<number, string>
  readonly #hiddenIds: ReadonlySet<number>
  readonly #unknownId: number | undefined
  readonly #spelling: TokenSpelling
  readonly #template: ChatTemplate
  readonly #contextLength: number

  constructor(files: TokenizerFiles, { vocabularySize, contextLength }: TokenizerLimits) {
    const definition = parseTokenizerDefinition(files.definition)
    const config = readTokenizerConfig(files.config)
    this.config = config
    // publishers list tokens that they never trained: without a row in the embedding they stay text
    const added = definition.added_tokens.filter(token => token.id < vocabularySize)
    this.#added = new AddedTokens(added)
    this.#addedIds = new Map(added.map(token => [token.id, token.content]))
    this.#hiddenIds = new Set(added.filter(token => token.special).map(token => token.id))
    this.#spelling = tokenSpelling(definition.decoder)
    checkVocabulary(definition.model.vocab, vocabularySize)
    this.charactersMax = contextLength * charactersPerTokenMax(definition)
    this.#contextLength = contextLength
    this.#library = buildLibrary({ ...definition, pre_tokenizer: equivalentPreTokenizer(definition) })
    this.#unknownId = this.idOf(definition.model.unk_token ?? '')
    this.#template = new ChatTemplate(config.template, config.tokens)
    this.cutsQuickly = cutsQuickly(definition)
    this.bosTokenId = this.idOf(config.tokens.bos)
    this.beginTokenIds = beginTokenIds(definition.post_processor).filter(id => id < vocabularySize)
    this.endTokenIds = new Set(files.endTokenIds)
  }

  get capabilities(): TemplateCapabilities {
    return this.#template.capabilities
  }

  encode(text: string, options: EncodeOptions = {}): number[] {
    this.#checkLength(text.length)
    const wellFormed = text.toWellFormed()
    const ids: number[] = []
    if (options.specialTokens === 'text') this.#encodeText(this.#added.guard(wellFormed), ids)
    else this.#encodeText(wellFormed, ids)
    return ids
  }

  applyChatTemplate(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string {
    return this.#template.render(messages, options)
  }

  encodeChat(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): number[] {
    const guard = (text: string): string => this.#added.guard(text.toWellFormed())
    const guarded = messages.map(message => ({ ...mapTexts(message, guard), role: message.role }))
    const tools = options.tools?.map(tool => mapTexts(tool, guard))
    const variables = options.variables && mapTexts(options.variables, guard)
    const prompt = this.#template.render(guarded, {
      ...options,
      ...(tools === undefined ? {} : { tools }),
      ...(variables === undefined ? {} : { variables })
    })
    // as long as a template writes it: some leave out what is old
    this.#checkLength(this.#added.unguard(prompt).length)
    const ids: number[] = []
    this.#encodeText(prompt, ids)
    return ids
  }

  decoder({ specialTokens = 'hide', named = NO_NAMES }: DecodeOptions = {}): TokenDecoder {
    const hidden = specialTokens === 'hide' ? this.#hiddenIds : NONE
    const isHidden = (token: number) => hidden.has(token) && !named.has(this.#addedIds.get(token) ?? '')
    const bytesOf = (token: number) => (isHidden(token) ? undefined : this.#bytesOf(token))
    return createTokenDecoder(bytesOf, this.#spelling.leadingSpaces)
  }

  decode(ids: Iterable<number>): string {
    const decoder = this.decoder()
    let text = ''
    for (const id of ids) text += decoder.push(id)
    return text + decoder.flush()
  }

  nameOf(id: number): string | undefined {
    return this.#addedIds.get(id) ?? this.#library.id_to_token(id)
  }

  #bytesOf(token: number): Uint8Array | undefined {
    const name = this.nameOf(token)
    return name === undefined ? undefined : tokenBytes(name, this.#addedIds.has(token), this.#spelling)
  }

  idOf(token: string): number | undefined {
    if (token === '') return undefined
    for (const [id, content] of this.#addedIds) if (content === token) return id
    return this.#library.token_to_id(token)
  }

  #encodeText(text: string, ids: number[]): void {
    for (const [index, section] of this.#added.split(text).entries()) {
      if ('token' in section) ids.push(section.token.id)
      else this.#encodeSection(this.#added.unguard(section.text), index, ids)
    }
  }

  /** Encodes text in which no added token is looked for; `index` tells some vocabularies where the text begins. */
  #encodeSection(text: string, index: number, ids: number[]): void {
    const { normalizer, pre_tokenizer: preTokenizer, model } = this.#library
    const normalized = normalizer?.normalize(text) ?? text
    if (normalized === '' || model === null) return
    const pieces = preTokenizer?.pre_tokenize(normalized, { section_index: index }) ?? [normalized]
    // unknown tokens of neighbouring pieces may become one
    const step = model.fuse_unk ? pieces.length : PIECES_AT_ONCE
    for (let at = 0; at < pieces.length; at += step) {
      this.#checkCount(ids.length)
      for (const token of model._call(pieces.slice(at, at + step))) {
        const id = model.tokens_to_ids.get(token) ?? this.#unknownId
        if (id !== undefined) ids.push(id)
      }
    }
  }

  /** A text that is far too long is not read to its end; of one that is a little too long it is good to know how much. */
  #checkCount(tokens: number): void {
    if (tokens <= 2 * this.#contextLength) return
    throw new MeshError(
      'context_length_exceeded',
      `the text has more than ${tokens} tokens and the context of this model is ${this.#contextLength}`,
      { hint: 'Send a shorter text.', details: { param: 'messages' } }
    )
  }

  #checkLength(characters: number): void {
    if (characters <= this.charactersMax) return
    throw new MeshError(
      'context_length_exceeded',
      `a text of ${characters} characters cannot fit the model's context; no text over ${this.charactersMax} does`,
      { hint: 'Send a shorter text.', details: { param: 'messages' } }
    )
  }
}

/** `value` with every text in it, names of fields too, replaced. */
function mapTexts<T>(value: T, replace: (text: string) => string): T
function mapTexts(value: unknown, replace: (text: string) => string): unknown {
  if (typeof value === 'string') return replace(value)
  if (Array.isArray(value)) return value.map(item => mapTexts(item, replace))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [replace(key), mapTexts(item, replace)]))
}

/** Checks that every id has a row in the embedding. */
function checkVocabulary(vocabulary: Readonly<Record<string, number>>, vocabularySize: number): void {
  for (const id of Object.values(vocabulary)) {
    if (id >= vocabularySize) {
      throw tokenizerInvalid(`the tokenizer has id ${id}, the model only ${vocabularySize} ids`)
    }
  }
}

function buildLibrary(definition: object): Tokenizer {
  try {
    // added tokens and post-processing are not the library's: it sees ordinary text only
    const library = new Tokenizer({ ...definition, added_tokens: [], post_processor: null, decoder: null }, {})
    if (library.model !== null) Object.assign(library.model, { max_length_to_cache: CACHED_CHARACTERS_MAX })
    return library
  } catch (error) {
    throw tokenizerInvalid(`tokenizer.json: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}
