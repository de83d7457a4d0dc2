import { join } from 'node:path'
import { describeIssues, type EncoderConfig, encoderConfigSchema, modelInvalid, safeParse } from '@resultity/interface'
import { z } from 'zod'
import { classifierFields, classifierOf } from './classifier-config.ts'

const SUPPORTED =
  'supported are BERT encoders as sentence-transformers publishes them, with mean or CLS pooling and no further modules, and BERT classifiers'

/** The fields of a Hugging Face `config.json` that decide what a BERT computes; defaults are `BertConfig`'s. */
const configSchema = z.looseObject({
  model_type: z.literal('bert'),
  hidden_size: z.number(),
  intermediate_size: z.number(),
  num_hidden_layers: z.number(),
  num_attention_heads: z.number(),
  vocab_size: z.number(),
  max_position_embeddings: z.number().default(512),
  type_vocab_size: z.number().default(2),
  layer_norm_eps: z.number().default(1e-12),
  hidden_act: z.string().default('gelu'),
  position_embedding_type: z.string().default('absolute'),
  is_decoder: z.boolean().default(false),
  ...classifierFields
})

/** `modules.json` of sentence-transformers: what follows on what. Newer releases have longer class names. */
const modulesSchema = z.array(z.looseObject({ type: z.string(), path: z.string() })).max(16)

/** `sentence_bert_config.json`. */
const transformerSchema = z.looseObject({ max_seq_length: z.number().nullish() })

/** `config.json` of the pooling module: a flag for each way, or in newer releases the way's name. */
const poolingSchema = z.looseObject({ pooling_mode: z.string().optional() })

/** Names in `config.json` of the activations that are served. */
const activations: Readonly<Record<string, EncoderConfig['activation']>> = {
  gelu: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh'
}

/** The text of a file of the folder; undefined where there is none. */
type ReadFile = (name: string) => string | undefined

/**
 * Reads the configuration of a folder in the layout of sentence-transformers. A folder without `modules.json` is taken
 * as that library takes it: mean pooling, vectors as they come.
 *
 * @throws MeshError `model_invalid` for a field that is wrong and for anything that would compute other vectors
 */
export function encoderConfigFromDirectory(directory: string, read: ReadFile): EncoderConfig {
  const file = join(directory, 'config.json')
  const config = parse(file, read('config.json'), configSchema)
  const activation = activations[config.hidden_act]
  if (activation === undefined) throw unsupported(file, `the activation "${config.hidden_act}"`)
  if (config.position_embedding_type !== 'absolute') {
    throw unsupported(file, `the position embedding "${config.position_embedding_type}"`)
  }
  if (config.is_decoder) throw unsupported(file, 'a BERT decoder')
  const classifier = classifierOf(file, config)
  return check(file, {
    layerCount: config.num_hidden_layers,
    hiddenSize: config.hidden_size,
    intermediateSize: config.intermediate_size,
    headCount: config.num_attention_heads,
    vocabularySize: config.vocab_size,
    contextLength: inputTokensMax(directory, read) ?? config.max_position_embeddings,
    positionCount: config.max_position_embeddings,
    tokenTypeCount: config.type_vocab_size,
    layerNormEpsilon: config.layer_norm_eps,
    activation,
    ...(classifier === undefined ? readModules(directory, read) : { pooling: 'cls', normalize: false, classifier })
  })
}

function check(file: string, candidate: unknown): EncoderConfig {
  const parsed = safeParse(encoderConfigSchema, candidate)
  if (!parsed.success)
    throw modelInvalid(file, `the model's configuration is wrong: ${describeIssues(parsed.error, candidate)}`)
  const config = parsed.data
  if (config.contextLength < 3) throw modelInvalid(file, `inputs of ${config.contextLength} tokens hold no text`)
  return config
}

function inputTokensMax(directory: string, read: ReadFile): number | undefined {
  const name = 'sentence_bert_config.json'
  const text = read(name)
  if (text === undefined) return undefined
  return parse(join(directory, name), text, transformerSchema).max_seq_length ?? undefined
}

function readModules(directory: string, read: ReadFile): Pick<EncoderConfig, 'pooling' | 'normalize'> {
  const file = join(directory, 'modules.json')
  const text = read('modules.json')
  if (text === undefined) return { pooling: 'mean', normalize: false }
  const modules = parse(file, text, modulesSchema).map(({ type, path }) => ({ kind: type.split('.').at(-1), path }))
  const [transformer, pooling, normalize, ...others] = modules
  if (transformer?.kind !== 'Transformer' || pooling?.kind !== 'Pooling' || others.length > 0) {
    throw unsupported(file, `the modules ${modules.map(module => module.kind).join(', ')}`)
  }
  if (normalize !== undefined && normalize.kind !== 'Normalize') {
    throw unsupported(file, `the module ${normalize.kind}`)
  }
  if (!/^[A-Za-z0-9_]{1,64}$/.test(pooling.path)) throw modelInvalid(file, 'the pooling module has no plain path')
  return { pooling: readPooling(directory, `${pooling.path}/config.json`, read), normalize: normalize !== undefined }
}

function readPooling(directory: string, name: string, read: ReadFile): EncoderConfig['pooling'] {
  const file = join(directory, name)
  const config = parse(file, read(name), poolingSchema)
  const flagged = Object.entries(config).filter(([key, value]) => key.startsWith('pooling_mode_') && value === true)
  const modes = config.pooling_mode === undefined ? flagged.map(([key]) => key) : [config.pooling_mode]
  const [mode] = modes
  if (modes.length === 1 && (mode === 'pooling_mode_mean_tokens' || mode === 'mean')) return 'mean'
  if (modes.length === 1 && (mode === 'pooling_mode_cls_token' || mode === 'cls')) return 'cls'
  throw unsupported(file, `the pooling ${modes.join(' with ') || 'by nothing'}`)
}

function parse<T extends z.ZodType>(file: string, text: string | undefined, schema: T): z.infer<T> {
  if (text === undefined) throw modelInvalid(file, 'is missing')
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw modelInvalid(file, `not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  const parsed = safeParse(schema, json)
  if (!parsed.success) throw modelInvalid(file, describeIssues(parsed.error, json))
  return parsed.data
}

function unsupported(file: string, what: string): Error {
  return modelInvalid(file, `${what} is not supported`, SUPPORTED)
}
