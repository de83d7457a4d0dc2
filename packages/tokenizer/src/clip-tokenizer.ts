import { Tokenizer } from '@huggingface/tokenizers'
import {
  type AbortOptions,
  type BlobStore,
  type ClipTextConfig,
  type DiffusionManifest,
  MeshError,
  safeParse
} from '@resultity/interface'
import { BYTE_LEVEL_ALPHABET } from './byte-level-alphabet.ts'
import { clipWords } from './clip-words.ts'
import { AddedTokens } from './tokenizer-added-tokens.ts'
import {
  parseJson,
  TOKENIZER_BYTES_MAX,
  TOKENS_MAX,
  tokenizerInvalid,
  vocabularySchema
} from './tokenizer-definition.ts'

/** What ends a word in the vocabulary. */
const WORD_END = '</w>'

/**
 * More characters than this for every token are refused uncounted: a prompt's words are four or five letters long. The hardest
 * text that is left takes some 50 ms.
 */
const CHARACTERS_PER_TOKEN_MAX = 16

/** Longest word whose tokens the library remembers, of 10,000: as for other tokenizers. */
const CACHED_CHARACTERS_MAX = 24

/** Tokens that begin and end a chunk. */
const CHUNK_FRAMING_TOKENS = 2

/** A special token takes no space beside it, and may stand within a word. */
const PLAIN = { special: true, lstrip: false, rstrip: false, single_word: false } as const

/** The files of a CLIP tokenizer. */
export interface ClipTokenizerFiles {
  /** A `vocab.json`. */
  readonly vocabulary: Uint8Array
  /** A `merges.txt`. */
  readonly merges: Uint8Array
}

/** What a text encoder's config says of its tokens. */
export type ClipTokens = Pick<ClipTextConfig, 'vocabularySize' | 'length' | 'beginToken' | 'endToken' | 'padToken'>

/** Turns prompts into the tokens of one text encoder of CLIP or OpenCLIP. */
export interface ClipTokenizer {
  /** Tokens of a text that one chunk holds. */
  readonly chunkTokens: number
  /**
   * Token ids of `text`, without those that frame a chunk. Names of special tokens in the text become these tokens, as in the
   * reference; so does `!` where it is what fills a chunk. Lone surrogates are left out.
   *
   * @throws MeshError `context_length_exceeded` when there are more than `tokensMax`
   */
  encode(text: string, tokensMax: number): number[]
  /** So many chunks of the encoder's length, each begun and ended, and filled up behind its end; those past the tokens are empty. */
  chunks(tokens: readonly number[], count: number): number[][]
}

/**
 * Reads the tokenizers of a model that draws pictures from its blobs, one for each text encoder. Building a vocabulary holds the
 * event loop for some 100 ms: do it when a model is loaded.
 *
 * @throws MeshError `blob_not_found`, `model_invalid`
 */
export async function loadClipTokenizers(
  { tokenizers, config }: Pick<DiffusionManifest, 'tokenizers' | 'config'>,
  store: BlobStore,
  options: AbortOptions = {}
): Promise<ClipTokenizer[]> {
  const loaded: ClipTokenizer[] = []
  for (const [index, tokens] of config.textEncoders.entries()) {
    const files = tokenizers[index]
    if (files === undefined) throw tokenizerInvalid(`text encoder ${index + 1} has no tokenizer`)
    const { vocabulary, merges } = files
    if (vocabulary.bytes + merges.bytes > TOKENIZER_BYTES_MAX) {
      const bytes = vocabulary.bytes + merges.bytes
      throw tokenizerInvalid(`the tokenizer has ${bytes} bytes, the limit is ${TOKENIZER_BYTES_MAX}`)
    }
    const read = {
      vocabulary: await store.read(vocabulary.sha256, options),
      merges: await store.read(merges.sha256, options)
    }
    loaded.push(createClipTokenizer(read, tokens))
  }
  return loaded
}

/**
 * Builds a tokenizer of CLIP (Radford et al., arXiv:2103.00020, section 2.4) from the contents of its files.
 *
 * @throws MeshError `model_invalid`
 */
export function createClipTokenizer(files: ClipTokenizerFiles, tokens: ClipTokens): ClipTokenizer {
  return new BytePairClip(files, tokens)
}

/** `@huggingface/tokenizers` puts pairs together; cutting texts into words is ours, which it has no rules for. */
class BytePairClip implements ClipTokenizer {
  readonly chunkTokens: number
  readonly #tokens: ClipTokens
  readonly #ids: ReadonlyMap<string, number>
  readonly #pairs: NonNullable<Tokenizer['model']>
  readonly #special: AddedTokens

  constructor(files: ClipTokenizerFiles, tokens: ClipTokens) {
    const vocabulary = readVocabulary(files.vocabulary, tokens)
    this.#tokens = tokens
    this.chunkTokens = tokens.length - CHUNK_FRAMING_TOKENS
    this.#ids = new Map(Object.entries(vocabulary))
    this.#pairs = buildPairs(vocabulary, readMerges(files.merges))
    const names = new Map([...this.#ids].map(([name, id]) => [id, name]))
    const special = new Set([tokens.beginToken, tokens.endToken, tokens.padToken])
    this.#special = new AddedTokens([...special].map(id => ({ ...PLAIN, id, content: nameOf(names, id) })))
  }

  encode(text: string, tokensMax: number): number[] {
    const charactersMax = tokensMax * CHARACTERS_PER_TOKEN_MAX
    if (text.length > charactersMax) {
      throw tooLong(`${text.length} characters, and texts of more than ${charactersMax} are refused uncounted`)
    }
    const ids: number[] = []
    for (const id of this.#idsOf(text.toWellFormed())) {
      // what is far too long need not be counted to its end
      if (ids.length === 2 * tokensMax)
        throw tooLong(`more than ${ids.length} tokens, and this model takes ${tokensMax}`)
      ids.push(id)
    }
    if (ids.length > tokensMax) throw tooLong(`${ids.length} tokens, and this model takes ${tokensMax}`)
    return ids
  }

  chunks(tokens: readonly number[], count: number): number[][] {
    const { beginToken, endToken, padToken, length } = this.#tokens
    return Array.from({ length: count }, (_, index) => {
      const own = tokens.slice(index * this.chunkTokens, (index + 1) * this.chunkTokens)
      const chunk = [beginToken, ...own, endToken]
      return chunk.concat(new Array<number>(length - chunk.length).fill(padToken))
    })
  }

  *#idsOf(text: string): Generator<number> {
    for (const section of this.#special.split(text)) {
      if ('token' in section) yield section.token.id
      else for (const word of clipWords(section.text)) yield* this.#idsOfWord(word)
    }
  }

  #idsOfWord(word: string): number[] {
    if (word === '<|startoftext|>' || word === '<|endoftext|>') return [this.#idOf(word)]
    const letters = Array.from(new TextEncoder().encode(word), byte => BYTE_LEVEL_ALPHABET[byte] ?? '').join('')
    return this.#pairs.encode([letters]).map((token: string) => this.#idOf(token))
  }

  /** What the vocabulary lacks is the end, as in the reference. */
  #idOf(token: string): number {
    return this.#ids.get(token) ?? this.#tokens.endToken
  }
}

function readVocabulary(bytes: Uint8Array, { vocabularySize }: ClipTokens): Record<string, number> {
  const parsed = safeParse(vocabularySchema, parseJson(bytes, 'vocab.json'))
  if (!parsed.success) throw tokenizerInvalid('vocab.json: it does not map tokens to ids')
  for (const id of Object.values(parsed.data)) {
    if (id >= vocabularySize) {
      throw tokenizerInvalid(`vocab.json has id ${id}, the text encoder only ${vocabularySize} ids`)
    }
  }
  return parsed.data
}

/** Pairs, those that are put together first before others; a first line that names the version is none. */
function readMerges(bytes: Uint8Array): [string, string][] {
  const lines = new TextDecoder().decode(bytes).trim().split(/\r?\n/)
  if (lines[0]?.startsWith('#version') === true || lines[0] === '') lines.shift()
  if (lines.length > TOKENS_MAX) throw tokenizerInvalid(`merges.txt has ${lines.length} lines`)
  return lines.map((line, index) => {
    const [first, second, ...rest] = line.trim().split(/\s+/)
    if (first === undefined || second === undefined || rest.length > 0) {
      throw tokenizerInvalid(`merges.txt: pair ${index + 1} is not two tokens`)
    }
    return [first, second]
  })
}

function buildPairs(vocab: Record<string, number>, merges: [string, string][]): NonNullable<Tokenizer['model']> {
  const model = { type: 'BPE', vocab, merges, end_of_word_suffix: WORD_END, unk_token: null }
  const library = new Tokenizer(
    { model, added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null },
    {}
  )
  if (library.model === null) throw tokenizerInvalid('merges.txt: it makes no tokenizer')
  return Object.assign(library.model, { max_length_to_cache: CACHED_CHARACTERS_MAX })
}

function nameOf(names: ReadonlyMap<number, string>, id: number): string {
  const name = names.get(id)
  if (name === undefined || name === '') throw tokenizerInvalid(`vocab.json has no token ${id}, which frames a text`)
  return name
}

function tooLong(what: string): MeshError {
  return new MeshError('context_length_exceeded', `the prompt has ${what}`, {
    hint: 'Send a shorter prompt.',
    details: { param: 'prompt' }
  })
}
