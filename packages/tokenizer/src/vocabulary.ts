import { Worker } from 'node:worker_threads'
import { type AbortOptions, MeshError, type ModelManifest, SPECIAL_TOKEN_BYTE } from '@resultity/interface'
import { tokenBytes, tokenSpelling } from './tokenizer-decoder.ts'
import { parseTokenizerDefinition, TOKENIZER_BYTES_MAX, tokenizerInvalid } from './tokenizer-definition.ts'
import { buildVocabularyTrie, type VocabularyTrie } from './vocabulary-trie.ts'

/** What each token of a vocabulary writes: enough to hold an answer to a grammar, without a tokenizer. */
export interface TokenVocabulary {
  /**
   * Rows of the embedding: every id is smaller. Rows without a token write nothing, and a special token writes its name behind
   * {@link SPECIAL_TOKEN_BYTE}, which nothing else writes.
   */
  readonly size: number
  /** Spaces that a decoder takes from the start of a text. */
  readonly leadingSpaces: number
  readonly trie: VocabularyTrie
}

/** @throws MeshError `model_invalid` */
export function readVocabulary(definitionBytes: Uint8Array, vocabularySize: number): TokenVocabulary {
  const definition = parseTokenizerDefinition(definitionBytes)
  const spelling = tokenSpelling(definition.decoder)
  const spellings: (Uint8Array | undefined)[] = new Array(vocabularySize)
  for (const [token, id] of Object.entries(definition.model.vocab)) {
    if (id < vocabularySize) spellings[id] = textBytes(tokenBytes(token, false, spelling))
  }
  for (const { id, content, special } of definition.added_tokens) {
    if (id >= vocabularySize) continue
    spellings[id] = special ? specialBytes(content) : textBytes(tokenBytes(content, true, spelling))
  }
  return { size: vocabularySize, leadingSpaces: spelling.leadingSpaces, trie: buildVocabularyTrie(spellings) }
}

/**
 * The bytes that each token adds to a text, by its id; undefined for special ones, and for rows without a token.
 *
 * @throws MeshError `model_invalid`
 */
export function readTokenBytes(definitionBytes: Uint8Array, vocabularySize: number): (Uint8Array | undefined)[] {
  const definition = parseTokenizerDefinition(definitionBytes)
  const spelling = tokenSpelling(definition.decoder)
  const bytes: (Uint8Array | undefined)[] = new Array(vocabularySize)
  for (const [token, id] of Object.entries(definition.model.vocab)) {
    if (id < vocabularySize) bytes[id] = tokenBytes(token, false, spelling)
  }
  for (const { id, content, special } of definition.added_tokens) {
    if (id < vocabularySize) bytes[id] = special ? undefined : tokenBytes(content, true, spelling)
  }
  return bytes
}

const utf8 = new TextEncoder()

function specialBytes(name: string): Uint8Array {
  return Uint8Array.from([SPECIAL_TOKEN_BYTE, ...utf8.encode(name)])
}

/** No text has the byte that marks special tokens, so what writes it is never wanted. */
function textBytes(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.includes(SPECIAL_TOKEN_BYTE) ? undefined : bytes
}

export interface VocabularyWorkerInit {
  readonly definitionPath: string
  readonly vocabularySize: number
}
export type VocabularyReply = { readonly vocabulary: TokenVocabulary } | { readonly failure: string }

/**
 * Reads the vocabulary of a model from its `tokenizer.json`, in a thread of its own: a big one takes half a second.
 *
 * @throws MeshError `model_invalid`; the signal's reason
 */
export async function loadVocabulary(
  manifest: ModelManifest,
  definitionPath: string,
  { signal }: AbortOptions = {}
): Promise<TokenVocabulary> {
  signal?.throwIfAborted()
  const { bytes } = manifest.tokenizer.definition
  if (bytes > TOKENIZER_BYTES_MAX) {
    throw tokenizerInvalid(`the tokenizer has ${bytes} bytes, the limit is ${TOKENIZER_BYTES_MAX}`)
  }
  const workerData: VocabularyWorkerInit = { definitionPath, vocabularySize: manifest.config.vocabularySize }
  const worker = new Worker(new URL('./vocabulary-worker.js', import.meta.url), { workerData })
  const { promise, resolve, reject } = Promise.withResolvers<TokenVocabulary>()
  const onAbort = (): void => reject(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  worker.on('message', (reply: VocabularyReply) => {
    if ('vocabulary' in reply) resolve(reply.vocabulary)
    else reject(tokenizerInvalid(reply.failure))
  })
  worker.on('error', error => reject(MeshError.from(error)))
  worker.on('exit', () => reject(new MeshError('internal', 'the thread that reads vocabularies ended early')))
  try {
    return await promise
  } finally {
    signal?.removeEventListener('abort', onAbort)
    await worker.terminate()
  }
}
