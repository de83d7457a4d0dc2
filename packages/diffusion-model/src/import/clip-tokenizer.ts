import { describeIssues, modelInvalid, safeParse } from '@resultity/interface'
import { z } from 'zod'
import { type ReadText, readConfig } from './read-config.ts'

/** How a text encoder's tokenizer is published, and the tokens that a chunk is framed with. */
export interface ClipTokenizer {
  /** A `vocab.json`. */
  readonly vocabulary: string
  /** A `merges.txt`. */
  readonly merges: string
  readonly beginToken: number
  readonly endToken: number
  readonly padToken: number
}

/** What reading takes of a tokenizer's folder. */
export const TOKENIZER_FILES = [
  'vocab.json',
  'merges.txt',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json'
] as const

/** As CLIP names them, where a folder does not. */
const NAMES = { begin: '<|startoftext|>', end: '<|endoftext|>' } as const

const vocabularySchema = z.record(z.string().max(1024), z.int().nonnegative().max(4_194_303))
/** A token's name, or an object that has it. */
const tokenSchema = z
  .union([z.string(), z.looseObject({ content: z.string() })])
  .nullish()
  .transform(token => (typeof token === 'object' ? token?.content : token))
const namesSchema = z.looseObject({ bos_token: tokenSchema, eos_token: tokenSchema, pad_token: tokenSchema })
const pair = z.union([z.string(), z.tuple([z.string(), z.string()])])
const definitionSchema = z.looseObject({
  model: z.looseObject({ type: z.literal('BPE').optional(), vocab: vocabularySchema, merges: z.array(pair) })
})

/**
 * Reads the tokenizer of a folder: `vocab.json` and `merges.txt`, or what a `tokenizer.json` has of them.
 *
 * @param folder of the tokenizer, such as `tokenizer_2`
 * @throws MeshError `model_invalid` naming the file and what is wrong with it
 */
export function readClipTokenizer(read: ReadText, folder: string): ClipTokenizer {
  const { vocabulary, merges } = separateFiles(read, folder) ?? fastFile(read, folder)
  const path = `${folder}/vocab.json`
  const ids = new Map(Object.entries(parseVocabulary(path, vocabulary)))
  const names = namesOf(read, folder)
  const idOf = (name: string): number => {
    const id = ids.get(name)
    if (id === undefined) throw modelInvalid(path, `has no token "${name}"`)
    return id
  }
  const end = names.eos_token ?? NAMES.end
  return {
    vocabulary,
    merges,
    beginToken: idOf(names.bos_token ?? NAMES.begin),
    endToken: idOf(end),
    padToken: idOf(names.pad_token ?? end)
  }
}

type Files = Pick<ClipTokenizer, 'vocabulary' | 'merges'>

function separateFiles(read: ReadText, folder: string): Files | undefined {
  const [vocabulary, merges] = [read(`${folder}/vocab.json`), read(`${folder}/merges.txt`)]
  return vocabulary === undefined || merges === undefined ? undefined : { vocabulary, merges }
}

/** What a `tokenizer.json` has, as the two files have it. */
function fastFile(read: ReadText, folder: string): Files {
  const path = `${folder}/tokenizer.json`
  if (read(path) === undefined) {
    throw modelInvalid(folder, 'has neither vocab.json and merges.txt nor tokenizer.json')
  }
  const { model } = readConfig(read, path, definitionSchema)
  const lines = model.merges.map(merge => (typeof merge === 'string' ? merge : merge.join(' ')))
  return { vocabulary: JSON.stringify(model.vocab), merges: `#version: 0.2\n${lines.join('\n')}\n` }
}

function parseVocabulary(path: string, text: string): z.infer<typeof vocabularySchema> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw modelInvalid(path, 'is not JSON')
  }
  const parsed = safeParse(vocabularySchema, json)
  if (parsed.success) return parsed.data
  throw modelInvalid(path, describeIssues(parsed.error, json))
}

function namesOf(read: ReadText, folder: string): Partial<z.infer<typeof namesSchema>> {
  const files = ['special_tokens_map.json', 'tokenizer_config.json'].map(name => `${folder}/${name}`)
  const said = files.filter(path => read(path) !== undefined).map(path => readConfig(read, path, namesSchema))
  // the first that names a token has the word
  return Object.assign({}, ...said.toReversed().map(withoutUndefined))
}

function withoutUndefined(names: z.infer<typeof namesSchema>): Partial<z.infer<typeof namesSchema>> {
  return Object.fromEntries(Object.entries(names).filter(([, name]) => name != null))
}
