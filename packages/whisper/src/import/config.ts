import { describeIssues, modelInvalid, safeParse, type WhisperConfig, whisperConfigSchema } from '@resultity/interface'
import { z } from 'zod'
import { parseJson, type SpecialTokens } from './special-tokens.ts'

/** Sizes and lists of a model in some format, before they are checked. */
export interface WhisperFacts extends Omit<WhisperConfig, 'tokens' | 'languages' | 'multilingual' | 'alignmentHeads'> {
  /** Undefined where the model does not say. */
  readonly multilingual: boolean | undefined
  readonly alignmentHeads: WhisperConfig['alignmentHeads'] | undefined
}

/**
 * Heads that word times are made of where a model does not name its own: 64 on two layers of the largest, and each of them has
 * one row of weights for every token of a text.
 */
const HEADS_MAX = 64

/**
 * The checked configuration.
 *
 * @param file names what it was read from, for errors
 * @throws MeshError `model_invalid` naming each field that is wrong
 */
export function whisperConfig(file: string, facts: WhisperFacts, special: SpecialTokens): WhisperConfig {
  const multilingual = facts.multilingual ?? !special.english
  const candidate = {
    ...facts,
    multilingual,
    tokens: special.tokens,
    languages: multilingual ? special.languages : {},
    alignmentHeads: facts.alignmentHeads ?? lastHeads(facts)
  }
  const parsed = safeParse(whisperConfigSchema, candidate)
  if (parsed.success) return parsed.data
  throw modelInvalid(file, `the model's configuration is wrong: ${describeIssues(parsed.error, candidate)}`)
}

/** As the original program takes them: all heads of the later half of the layers, the last ones where they are many. */
function lastHeads({ decoderLayerCount, decoderHeadCount }: WhisperFacts): [number, number][] {
  const half = Math.ceil(decoderLayerCount / 2)
  const layers = Math.max(1, Math.min(half, Math.floor(HEADS_MAX / decoderHeadCount)))
  return Array.from({ length: layers * decoderHeadCount }, (_, index) => [
    decoderLayerCount - layers + Math.floor(index / decoderHeadCount),
    index % decoderHeadCount
  ])
}

const heads = z.array(z.tuple([z.int(), z.int()])).max(1024)
const ids = z.array(z.int()).max(1024)

/** The fields of a Hugging Face `config.json` that decide what a Whisper computes; defaults are `WhisperConfig`'s. */
const hubSchema = z.looseObject({
  model_type: z.literal('whisper'),
  num_mel_bins: z.number().default(80),
  d_model: z.number(),
  encoder_layers: z.number(),
  encoder_attention_heads: z.number(),
  encoder_ffn_dim: z.number(),
  decoder_layers: z.number(),
  decoder_attention_heads: z.number(),
  decoder_ffn_dim: z.number(),
  max_source_positions: z.number().default(1500),
  max_target_positions: z.number().default(448),
  vocab_size: z.number(),
  activation_function: z.string().default('gelu'),
  scale_embedding: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(true),
  suppress_tokens: ids.nullish(),
  begin_suppress_tokens: ids.nullish()
})

/** What `generation_config.json` says of decoding. */
const generationSchema = z.looseObject({
  alignment_heads: heads.nullish(),
  is_multilingual: z.boolean().nullish(),
  suppress_tokens: ids.nullish(),
  begin_suppress_tokens: ids.nullish()
})

/** A text, and the file that it is read from. */
export interface NamedText {
  readonly file: string
  readonly text: string
}

/** @throws MeshError `model_invalid` for a field that is wrong and for anything that would compute something else */
export function hubFacts(config: NamedText, generation: NamedText | undefined): WhisperFacts {
  const model = parse(config, hubSchema)
  const said = generation === undefined ? {} : parse(generation, generationSchema)
  const refuse = (what: string): Error =>
    modelInvalid(config.file, `${what} is not supported`, 'supported are Whispers as OpenAI publishes them')
  if (model.activation_function !== 'gelu') throw refuse(`the activation "${model.activation_function}"`)
  if (model.scale_embedding) throw refuse('an embedding that is scaled')
  if (!model.tie_word_embeddings) throw refuse('a head of its own, beside the embedding,')
  return {
    melBins: model.num_mel_bins,
    audioContext: model.max_source_positions,
    textContext: model.max_target_positions,
    hiddenSize: model.d_model,
    encoderLayerCount: model.encoder_layers,
    encoderHeadCount: model.encoder_attention_heads,
    encoderFeedForwardSize: model.encoder_ffn_dim,
    decoderLayerCount: model.decoder_layers,
    decoderHeadCount: model.decoder_attention_heads,
    decoderFeedForwardSize: model.decoder_ffn_dim,
    vocabularySize: model.vocab_size,
    multilingual: said.is_multilingual ?? undefined,
    suppress: listed(said.suppress_tokens ?? model.suppress_tokens),
    suppressAtBegin: listed(said.begin_suppress_tokens ?? model.begin_suppress_tokens),
    alignmentHeads: said.alignment_heads ?? undefined
  }
}

/** What CTranslate2's converter writes of a Whisper. */
const ct2Schema = z.looseObject({
  suppress_ids: ids.nullish(),
  suppress_ids_begin: ids.nullish(),
  alignment_heads: heads.nullish()
})

/** The lists of a `config.json` of CTranslate2, whose sizes are those of its tensors. */
export function ct2Lists(config: NamedText): Pick<WhisperFacts, 'suppress' | 'suppressAtBegin' | 'alignmentHeads'> {
  const model = parse(config, ct2Schema)
  return {
    suppress: listed(model.suppress_ids),
    suppressAtBegin: listed(model.suppress_ids_begin),
    alignmentHeads: model.alignment_heads ?? undefined
  }
}

/** A negative id stands for a list of the program that reads it. */
function listed(tokens: readonly number[] | null | undefined): number[] {
  return (tokens ?? []).filter(id => id >= 0)
}

function parse<Schema extends z.ZodType>({ file, text }: NamedText, schema: Schema): z.infer<Schema> {
  const json = parseJson(file, text)
  const parsed = safeParse(schema, json)
  if (!parsed.success) throw modelInvalid(file, describeIssues(parsed.error, json))
  return parsed.data
}
