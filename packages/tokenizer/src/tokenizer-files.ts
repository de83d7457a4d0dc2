import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type AbortOptions,
  isLfsPointer,
  lfsPointerError,
  MeshError,
  modelInvalid,
  safeParse
} from '@resultity/interface'
import { z } from 'zod'
import { tokenizerConfigSchema } from './tokenizer-config.ts'
import {
  isWordPiece,
  parseJson,
  parseTokenizerDefinition,
  TOKENIZER_BYTES_MAX,
  type TokenizerDefinition,
  tokenizerInvalid
} from './tokenizer-definition.ts'

/** What a model manifest holds of a tokenizer, whatever format it came in. */
export interface TokenizerFiles {
  /** A Hugging Face `tokenizer.json`. */
  readonly definition: Uint8Array
  /** A Hugging Face `tokenizer_config.json`, with the chat template inside. */
  readonly config: Uint8Array
  /** Ids that end an answer, ascending. */
  readonly endTokenIds: readonly number[]
}

/**
 * Tokens that end a turn in the well-known chat formats. Models often end an answer with another token than
 * their `eos_token`, and not every publisher lists it.
 */
const END_OF_TURN: ReadonlySet<string> = new Set([
  '<|im_end|>',
  '<|eot_id|>',
  '<|eom_id|>',
  '<|end|>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<|end_of_turn|>',
  '<end_of_turn>',
  '<EOT>',
  '</s>'
])

/** What a vocabulary has whose answers are several messages, as those of gpt-oss, and what ends such an answer. */
const CHANNEL = '<|channel|>'
const END_OF_MESSAGES: ReadonlySet<string> = new Set(['<|return|>', '<|call|>', '<|endoftext|>'])

/** Ids of the special tokens that end a turn, by name, and of `named`; ascending. */
export function endTokenIds(
  specialTokens: Iterable<{ readonly id: number; readonly content: string }>,
  named: Iterable<number>
): number[] {
  const tokens = [...specialTokens]
  // a message's end is followed by another message
  const ends = tokens.some(({ content }) => content === CHANNEL) ? END_OF_MESSAGES : END_OF_TURN
  const ids = new Set(named)
  for (const { id, content } of tokens) if (ends.has(content)) ids.add(id)
  return [...ids].toSorted((a, b) => a - b)
}

/** A negative id stands for none. */
const tokenIdsSchema = z
  .union([z.int(), z.array(z.int()).max(64)])
  .nullish()
  .transform(ids => (ids == null ? [] : [ids].flat().filter(id => id >= 0)))
const eosSchema = z.looseObject({ eos_token_id: tokenIdsSchema })

/** No configuration file of a published model comes near. */
const CONFIG_BYTES_MAX = 16_777_216

/**
 * Reads the tokenizer of a Hugging Face model folder: `tokenizer.json`, and where they exist
 * `tokenizer_config.json`, `special_tokens_map.json`, `chat_template.jinja` or `chat_template.json` (which win over the
 * template in the configuration, as in transformers), `generation_config.json` and `config.json`.
 *
 * @throws MeshError `model_invalid`
 */
export async function tokenizerFilesFromDirectory(
  directory: string,
  options: AbortOptions = {}
): Promise<TokenizerFiles> {
  const read = (name: string): Promise<Uint8Array | undefined> => readOptional(join(directory, name), options)
  const definition = await read('tokenizer.json')
  if (definition === undefined) throw tokenizerMissing(directory, await readdir(directory))
  // an encoder ends nothing and has no chat template
  if (isWordPiece(definition)) return { definition, config: encodeJson(await readConfig(read)), endTokenIds: [] }
  const parsed = parseTokenizerDefinition(definition)
  const config = await readConfig(read)
  const template = await separateTemplate(read)
  if (template !== undefined) config.chat_template = template
  const checked = safeParse(tokenizerConfigSchema, config)
  if (!checked.success) throw tokenizerInvalid(`tokenizer_config.json: ${z.prettifyError(checked.error)}`)
  const eos = idOfToken(parsed, checked.data.eos_token)
  return {
    definition,
    config: encodeJson(config),
    endTokenIds: endTokenIds(
      parsed.added_tokens.filter(token => token.special),
      [...(eos === undefined ? [] : [eos]), ...(await listedEndTokens(read))]
    )
  }
}

/** Says what the folder has instead. */
function tokenizerMissing(directory: string, names: readonly string[]): Error {
  const others = names.filter(name => ['tokenizer.model', 'vocab.json', 'spiece.model'].includes(name))
  const ggufs = names.filter(name => name.endsWith('.gguf'))
  const hints = [
    ...(ggufs.length > 0 ? [`Name one of its GGUF files: ${ggufs.slice(0, 8).join(', ')}.`] : []),
    ...(others.length > 0 ? [`${others.join(' and ')} alone is not read: save the tokenizer as a fast one.`] : []),
    'A model folder holds config.json, tokenizer.json and safetensors.'
  ]
  return tokenizerInvalid(`${directory} has no tokenizer.json`, undefined, hints.join(' '))
}

type ReadFile = (name: string) => Promise<Uint8Array | undefined>

async function readOptional(path: string, options: AbortOptions): Promise<Uint8Array | undefined> {
  try {
    const stats = await stat(path)
    if (!stats.isFile()) throw modelInvalid(path, 'is not a file')
    if (stats.size > TOKENIZER_BYTES_MAX) {
      throw modelInvalid(path, `has ${stats.size} bytes, the limit is ${TOKENIZER_BYTES_MAX}`)
    }
    const bytes = await readFile(path, options)
    if (isLfsPointer(bytes)) throw lfsPointerError(path)
    return bytes
  } catch (error) {
    options.signal?.throwIfAborted()
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    if (error instanceof MeshError) throw error
    throw modelInvalid(path, `cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function readObject(read: ReadFile, name: string): Promise<Record<string, unknown>> {
  const bytes = await read(name)
  if (bytes === undefined) return {}
  if (bytes.length > CONFIG_BYTES_MAX) throw tokenizerInvalid(`${name} has ${bytes.length} bytes`)
  const parsed = safeParse(z.record(z.string(), z.unknown()), parseJson(bytes, name))
  if (!parsed.success) throw tokenizerInvalid(`${name} is not a JSON object`)
  return parsed.data
}

async function readConfig(read: ReadFile): Promise<Record<string, unknown>> {
  return {
    ...(await readObject(read, 'special_tokens_map.json')),
    ...(await readObject(read, 'tokenizer_config.json'))
  }
}

function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

async function separateTemplate(read: ReadFile): Promise<unknown> {
  const jinja = new TextDecoder().decode(await read('chat_template.jinja'))
  if (jinja.trim() !== '') return jinja
  return (await readObject(read, 'chat_template.json')).chat_template
}

async function listedEndTokens(read: ReadFile): Promise<number[]> {
  const ids: number[] = []
  for (const name of ['generation_config.json', 'config.json']) {
    const parsed = safeParse(eosSchema, await readObject(read, name))
    if (!parsed.success) throw tokenizerInvalid(`${name}: ${z.prettifyError(parsed.error)}`)
    ids.push(...parsed.data.eos_token_id)
  }
  return ids
}

function idOfToken(definition: TokenizerDefinition, token: string): number | undefined {
  return definition.added_tokens.find(added => added.content === token)?.id ?? definition.model.vocab[token]
}
