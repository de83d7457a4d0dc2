import type { SpeechRules } from '@resultity/audio'
import {
  FALLBACK_TEMPERATURES,
  invalidRequest,
  MeshError,
  previousTokensMax,
  requireSpeech
} from '@resultity/interface'
import type { ServedSpeech } from '@resultity/placement'
import type { ModelTokenizer } from '@resultity/tokenizer'
import { languageCode } from './spoken-language.ts'
import type { AnswerForm } from './transcript-answer.ts'
import type { ResponseFormat, SpeechRequest } from './transcription-schema.ts'

/** Fields of OpenAI's that change an answer, and what to do instead. */
const UNSERVED: readonly (readonly [field: string, hint: string])[] = [
  ['languages', 'Name one in language, or leave it out.'],
  ['keywords', 'Write them into prompt.'],
  ['known_speaker_names', 'Speakers are not told apart here: leave it out.'],
  ['known_speaker_references', 'Speakers are not told apart here: leave it out.']
]

/** What a request wants, in terms of the model. */
export interface SpeechPlan {
  readonly task: 'transcribe' | 'translate'
  readonly language: string | undefined
  readonly prompt: readonly number[]
  readonly temperatures: readonly number[]
  readonly form: AnswerForm
  readonly rules: SpeechRules
}

/** @throws MeshError `invalid_request` naming the field */
export function toSpeechPlan(request: SpeechRequest, task: SpeechPlan['task'], model: ServedSpeech): SpeechPlan {
  refuseUnserved(request)
  const { config } = requireSpeech(model.placeable.manifest)
  if (task === 'translate' && !config.multilingual) {
    throw invalidRequest(
      'model',
      `the model "${model.id}" only knows English, and translates nothing`,
      'Name a multilingual one.'
    )
  }
  const { language, prompt, temperature } = request
  return {
    task,
    language: isNamed(language) ? languageCode(language, config) : undefined,
    prompt: promptTokens(prompt ?? '', model.tokenizer, previousTokensMax(config)),
    temperatures:
      temperature === undefined || temperature === null || temperature === 0 ? FALLBACK_TEMPERATURES : [temperature],
    form: formOf(request),
    rules: rulesOf(request)
  }
}

function refuseUnserved(request: SpeechRequest): void {
  for (const [field, hint] of UNSERVED) {
    const value = request[field] ?? request[`${field}[]`]
    if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) continue
    throw invalidRequest(field, `${field} changes the answer, and is not served here`, hint)
  }
  if (request.response_format === 'diarized_json') {
    const hint = 'Speakers are not told apart here: use verbose_json for times.'
    throw invalidRequest('response_format', 'response_format "diarized_json" is not served here', hint)
  }
  const { target_language: target } = request
  if (isNamed(target) && !/^(en([-_]\w+)?|english)$/i.test(target.trim())) {
    const hint = 'Leave it out, or send "en": models here translate into English only.'
    throw invalidRequest('target_language', `target_language is "${target.slice(0, 32)}"`, hint)
  }
}

/** Clients send empty fields of forms for what they do not say. */
function isNamed(value: string | null | undefined): value is string {
  return value !== undefined && value !== null && value.trim() !== ''
}

function formOf({ response_format: format, timestamp_granularities, include, stream }: SpeechRequest): AnswerForm {
  const known: ResponseFormat = format === null || format === undefined || format === 'diarized_json' ? 'json' : format
  const granularities = timestamp_granularities ?? []
  const verbose = known === 'verbose_json'
  if (granularities.includes('word') && !verbose) {
    const hint = 'Send response_format "verbose_json", which has them.'
    throw invalidRequest('timestamp_granularities', `words have no place in response_format "${known}"`, hint)
  }
  const logprobs = include?.includes('logprobs') === true
  if (logprobs && known !== 'json' && stream !== true) {
    throw invalidRequest(
      'include',
      `logprobs have no place in response_format "${known}"`,
      'Send response_format "json".'
    )
  }
  const words = granularities.includes('word')
  // words alone are all that is wanted then
  return { format: known, words, segments: !words || granularities.includes('segment'), logprobs }
}

function rulesOf({ chunking_strategy: strategy }: SpeechRequest): SpeechRules {
  if (strategy === undefined || strategy === null || strategy === 'auto') return {}
  const { threshold, silence_duration_ms: silence, prefix_padding_ms: padding } = strategy
  return {
    ...(threshold == null ? {} : { threshold }),
    ...(silence == null ? {} : { silenceMsMin: silence }),
    ...(padding == null ? {} : { paddingMs: padding })
  }
}

/**
 * The last tokens of a prompt. A tokenizer refuses texts that are far longer than the model's context, so that of a long one
 * the end is taken first.
 */
function promptTokens(prompt: string, tokenizer: ModelTokenizer, max: number): number[] {
  const text = prompt.trim()
  if (text === '') return []
  for (let characters = Math.min(text.length, 16 * max); ; characters = Math.floor(characters / 2)) {
    try {
      const tokens = tokenizer.encode(` ${text.slice(-characters).trim()}`, { specialTokens: 'text' })
      return tokens.slice(-max)
    } catch (error) {
      if (MeshError.from(error).code !== 'context_length_exceeded' || characters < 2) throw error
    }
  }
}
