import { describeIssues, modelInvalid, safeParse, type WhisperTokens } from '@resultity/interface'
import { z } from 'zod'

const tokensMax = 65_536
const definitionSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.int().nonnegative(), content: z.string().max(1024) })).max(tokensMax)
})

/** The ids that steer a Whisper, as its tokenizer names them. */
export interface SpecialTokens {
  readonly tokens: WhisperTokens
  /** Of every language that has a token, whether the model knows it or not. */
  readonly languages: Readonly<Record<string, number>>
  /** Whether the text tokens are those of GPT-2, with which the models that know English only were trained. */
  readonly english: boolean
}

/** GPT-2's own `<|endoftext|>`; in vocabularies for many languages it is another. */
const GPT2_END_OF_TEXT = 50_256

const languageName = /^<\|([a-z]{2,3})\|>$/

/**
 * Reads them from a `tokenizer.json`.
 *
 * @throws MeshError `model_invalid` naming the token that is missing
 */
export function readSpecialTokens(file: string, text: string): SpecialTokens {
  const parsed = safeParse(definitionSchema, parseJson(file, text))
  if (!parsed.success) throw modelInvalid(file, describeIssues(parsed.error, undefined))
  const ids = new Map(parsed.data.added_tokens.map(({ id, content }) => [content, id]))
  const find = (...names: string[]): number => {
    const id = names.map(name => ids.get(`<|${name}|>`)).find(found => found !== undefined)
    if (id === undefined) throw modelInvalid(file, `has no token <|${names[0]}|>, as every Whisper has`)
    return id
  }
  const noTimestamps = find('notimestamps')
  const tokens = {
    startOfTranscript: find('startoftranscript'),
    endOfText: find('endoftext'),
    transcribe: find('transcribe'),
    translate: find('translate'),
    noSpeech: find('nospeech', 'nocaptions'),
    noTimestamps,
    // many tokenizers do not name them: they are the rest of the vocabulary
    firstTimestamp: ids.get('<|0.00|>') ?? noTimestamps + 1,
    startOfPrevious: find('startofprev')
  }
  return { tokens, languages: languagesOf(ids, tokens), english: tokens.endOfText === GPT2_END_OF_TEXT }
}

/** They stand between the token that begins a transcript and those of the tasks. */
function languagesOf(
  ids: ReadonlyMap<string, number>,
  { startOfTranscript, translate, transcribe }: WhisperTokens
): Record<string, number> {
  const end = Math.min(translate, transcribe)
  const found = [...ids].flatMap(([content, id]) => {
    const code = languageName.exec(content)?.[1]
    return code === undefined || id <= startOfTranscript || id >= end ? [] : [[code, id] as const]
  })
  return Object.fromEntries(found.toSorted(([, a], [, b]) => a - b))
}

/** @throws MeshError `model_invalid` */
export function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw modelInvalid(file, 'is not JSON')
  }
}
