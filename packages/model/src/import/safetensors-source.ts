import { join } from 'node:path'
import { type DescribedModel, describeHubModel, encoderConfigFromDirectory, type Family } from '@resultity/families'
import {
  disposeOnError,
  MissingBytes,
  type NamedTensors,
  openSafetensorsFolder,
  readFolderText,
  readOptionalFolderText,
  type WeightsElsewhere
} from '@resultity/formats'
import { MeshError, modelInvalid, safeParse } from '@resultity/interface'
import { z } from 'zod'
import { BertTensors, notWeights } from './bert-tensors.ts'
import { DecoderTensors, namingOf } from './decoder-tensors.ts'
import type { EncoderSource, ModelSource } from './model-source.ts'

export interface SafetensorsDirectoryInit {
  /** Default: all that are known. */
  readonly families?: readonly Family[] | undefined
  /** Default: all weight files are in the folder. */
  readonly elsewhere?: WeightsElsewhere | undefined
}

/** Opens a folder in the Hugging Face layout as a decoder of one of the families. The caller disposes it. */
export function openSafetensorsDirectory(directory: string, init: SafetensorsDirectoryInit = {}): ModelSource {
  const { families, elsewhere } = init
  const configPath = join(directory, 'config.json')
  const text = readFolderText(configPath)
  const model = describeHubModel(configPath, text, families)
  const { tensors, dispose } = openSafetensorsFolder(directory, { elsewhere })
  return disposeOnError(dispose, () => {
    const found = collectTensors(directory, model, tensors, quantizationOf(text))
    return { config: model.config, ...found, [Symbol.dispose]: dispose }
  })
}

const quantizedSchema = z.looseObject({
  quantization_config: z.looseObject({ quant_method: z.string().nullish() }).nullish().catch(null)
})

/** By what the weights of a folder are quantized, as its `config.json` says; undefined where they are plain numbers. */
function quantizationOf(text: string): string | undefined {
  const { quantization_config: quantization } = quantizedSchema.parse(JSON.parse(text))
  return quantization == null ? undefined : (quantization.quant_method ?? 'an unnamed method')
}

function collectTensors(
  directory: string,
  { family, config }: DescribedModel,
  tensors: NamedTensors,
  quantization: string | undefined
) {
  const { title, hub } = family
  const { normOffset } = hub
  const naming = namingOf(tensors, config, [hub.tensors, ...(hub.otherTensors ?? [])])
  try {
    return new DecoderTensors({ file: directory, title, config, tensors, naming, normOffset }).collect()
  } catch (error) {
    if (quantization === undefined || error instanceof MissingBytes) throw error
    const reason = MeshError.from(error).message
    throw modelInvalid(
      directory,
      `is quantized by ${quantization}, and that is not supported (${reason})`,
      'Use the version of the model that is not quantized, or a GGUF version.'
    )
  }
}

/** Opens a folder in the layout of sentence-transformers as a BERT. The caller disposes it. */
export function openEncoderDirectory(directory: string): EncoderSource {
  const config = encoderConfigFromDirectory(directory, name => readOptionalFolderText(join(directory, name)))
  const { tensors, dispose } = openSafetensorsFolder(directory, { ignored: notWeights(config) })
  return disposeOnError(dispose, () => {
    const found = new BertTensors(directory, config, tensors).collect()
    return { config, ...found, [Symbol.dispose]: dispose }
  })
}

/** The `model_type` of a folder's `config.json`; undefined where there is none. */
export function modelTypeOf(directory: string): string | undefined {
  const text = readOptionalFolderText(join(directory, 'config.json'))
  if (text === undefined) return undefined
  try {
    return safeParse(z.looseObject({ model_type: z.string() }), JSON.parse(text)).data?.model_type
  } catch {
    // the reader of the whole file says what is wrong with it
    return undefined
  }
}
