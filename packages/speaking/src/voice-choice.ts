import { type BarkConfig, invalidRequest, isKokoroConfig, type VoiceConfig } from '@resultity/interface'
import type { Alphabet } from '@resultity/phonemes'
import type { ServedVoice } from '@resultity/placement'
import type { SpeechRequest, Voice } from './speech-schema.ts'

/** Names of OpenAI's voices: clients send one of them whatever is served. */
const OPENAI_VOICES: ReadonlySet<string> = new Set([
  'alloy',
  'ash',
  'ballad',
  'coral',
  'echo',
  'fable',
  'nova',
  'onyx',
  'sage',
  'shimmer',
  'verse',
  'marin',
  'cedar'
])

/** Who speaks. */
export interface ChosenVoice {
  readonly name: string
  /** Undefined for a model with one voice. */
  readonly speaker: number | undefined
  /** How it reads sounds; undefined for one that reads tokens. */
  readonly alphabet: Alphabet | undefined
}

/** The voices of a model: its speakers, or the one that it is. The first is its default. */
export function voicesOf({ id, config }: ServedVoice): readonly Voice[] {
  const names = Object.keys(config.speakers)
  const { license = null, sampleRate } = config
  return (names.length === 0 ? [id] : names).map((name, index) => ({
    id: name,
    object: 'audio.voice',
    name,
    model: id,
    language: languageOf(config, name),
    license,
    sample_rate: sampleRate,
    default: index === 0
  }))
}

/** @throws MeshError `invalid_request` for a voice that the model has not, naming those that it has */
export function chooseVoice(voice: SpeechRequest['voice'], model: ServedVoice): ChosenVoice {
  const own = voicesOf(model).map(({ name }) => name)
  const asked = typeof voice === 'string' ? voice : voice?.id
  const fallsBack = asked === undefined || asked === 'default' || OPENAI_VOICES.has(asked)
  const name = namedBy(own, asked) ?? (fallsBack ? own[0] : undefined)
  if (name !== undefined) {
    return { name, speaker: model.config.speakers[name], alphabet: alphabetOf(model.config, name) }
  }
  const some = own.slice(0, 16).map(one => `"${one}"`)
  const more = own.length > some.length ? ` and ${own.length - some.length} more of GET /v1/audio/voices` : ''
  throw invalidRequest(
    'voice',
    `the model "${model.id}" has no voice "${asked?.slice(0, 64)}"`,
    `Name one of ${some.join(', ')}${more}, or leave it out.`
  )
}

/** By its name, or by what stands behind the last slash of it, where only one has that. */
function namedBy(own: readonly string[], asked: string | undefined): string | undefined {
  const [short, ...others] = own.filter(one => one.endsWith(`/${asked}`))
  return own.find(one => one === asked) ?? (others.length === 0 ? short : undefined)
}

function languageOf(config: VoiceConfig | BarkConfig, speaker: string): string {
  return ('languages' in config ? config.languages[speaker] : undefined) ?? config.language
}

function alphabetOf(config: VoiceConfig | BarkConfig, speaker: string): Alphabet | undefined {
  if ('semantic' in config) return undefined
  if (!isKokoroConfig(config)) return 'espeak'
  return languageOf(config, speaker) === 'en_GB' ? 'misaki-gb' : 'misaki-us'
}
