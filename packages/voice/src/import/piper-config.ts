import { describeIssues, modelInvalid, type PiperConfig, piperConfigSchema, safeParse } from '@resultity/interface'
import { z } from 'zod'
import { licenseOf, parseVoiceJson } from './voice-file.ts'

/** What is read of a voice's `.onnx.json`. */
const settingsSchema = z.looseObject({
  audio: z.looseObject({ sample_rate: z.number() }),
  espeak: z.looseObject({ voice: z.string() }).optional(),
  language: z.looseObject({ code: z.string() }).optional(),
  inference: z.looseObject({ noise_scale: z.number(), length_scale: z.number(), noise_w: z.number() }),
  phoneme_type: z.string().default('espeak'),
  phoneme_id_map: z.record(z.string(), z.array(z.number())),
  num_symbols: z.number(),
  num_speakers: z.number().default(1),
  speaker_id_map: z.record(z.string(), z.number()).default({})
})

/**
 * The settings of a voice, as its publisher wrote them.
 *
 * @param name of the file, for errors
 * @param card the voice's `MODEL_CARD`, where its licence stands
 * @throws MeshError `model_invalid` for a file that is no such settings, and for a voice that cannot be served: of another
 *   language than English, or one that reads no phonemes of espeak-ng
 */
export function readPiperConfig(name: string, text: string, card: string | undefined): PiperConfig {
  const json = parseVoiceJson(name, text)
  const parsed = safeParse(settingsSchema, json)
  if (!parsed.success) throw modelInvalid(name, describeIssues(parsed.error, json))
  const { audio, espeak, inference, phoneme_type: phonemeType, ...rest } = parsed.data
  if (phonemeType !== 'espeak' || espeak === undefined) {
    throw modelInvalid(
      name,
      `its phoneme_type is "${phonemeType.slice(0, 32)}"`,
      'Use a voice that reads phonemes of espeak.'
    )
  }
  // the oldest voices name no language but espeak's
  const language =
    rest.language?.code ?? espeak.voice.replace(/-(\w+)$/, (_, region: string) => `_${region.toUpperCase()}`)
  if (!/^en(?:_|$)/.test(language)) {
    throw modelInvalid(
      name,
      `the voice speaks ${language.slice(0, 32)}`,
      'Texts are read in English only: use an English voice.'
    )
  }
  const candidate = {
    sampleRate: audio.sample_rate,
    language,
    phonemeVoice: espeak.voice,
    phonemeIds: rest.phoneme_id_map,
    phonemeCount: rest.num_symbols,
    noiseScale: inference.noise_scale,
    noiseWidth: inference.noise_w,
    lengthScale: inference.length_scale,
    speakers: rest.num_speakers > 1 ? rest.speaker_id_map : {},
    ...licenseOf(card)
  }
  const config = safeParse(piperConfigSchema, candidate)
  if (!config.success) throw modelInvalid(name, describeIssues(config.error, candidate))
  return config.data
}
