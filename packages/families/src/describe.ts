import { describeIssues, type ModelConfig, modelConfigSchema, modelInvalid, safeParse } from '@resultity/interface'
import { z } from 'zod'
import type { Family } from './family.ts'
import { type GgufHead, GgufKeys } from './gguf-keys.ts'
import { refuseArchitecture } from './refusals.ts'
import { refuseFp8 } from './refuse-quantization.ts'
import { families as known } from './registry.ts'
import { Unsupported } from './unsupported.ts'

/** A model's family, and what its graph computes. */
export interface DescribedModel {
  readonly family: Family
  readonly config: ModelConfig
}

/**
 * Reads a Hugging Face `config.json`.
 *
 * @param file names the file in errors
 * @throws MeshError `model_invalid` for a field that is wrong and for any other architecture
 */
export function describeHubModel(file: string, text: string, families: readonly Family[] = known): DescribedModel {
  const json = parseJson(file, text)
  const named = safeParse(namesSchema, json)
  if (!named.success) throw modelInvalid(file, describeIssues(named.error, json))
  const { model_type: modelType, architectures } = named.data
  const family = families.find(({ hub }) => Object.hasOwn(hub.classes, modelType))
  return explaining(file, families, () => {
    if (family === undefined) return refuseArchitecture(modelType)
    refuseFp8(json)
    const config = family.hub.describe({ file, json })
    const other = architectures?.find(name => name !== family.hub.classes[modelType])
    if (other !== undefined) throw new Unsupported(`the architecture "${other}"`)
    return { family, config: checkModelConfig(file, config) }
  })
}

/**
 * Reads the metadata of a GGUF file.
 *
 * @throws MeshError `model_invalid` for a missing or wrong key and for any other architecture
 */
export function describeGgufModel(head: GgufHead, families: readonly Family[] = known): DescribedModel {
  const architecture = String(head.metadata.get('general.architecture'))
  const family = families.find(({ gguf }) => gguf?.architectures.includes(architecture) === true)
  return explaining(head.file, families, () => {
    if (family?.gguf === undefined) return refuseArchitecture(architecture)
    const config = family.gguf.describe(new GgufKeys(head, architecture))
    return { family, config: checkModelConfig(head.file, config) }
  })
}

const namesSchema = z.looseObject({ model_type: z.string(), architectures: z.array(z.string()).nullish() })

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw modelInvalid(file, `not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Gives what a record refuses the file's name, and a list of what is supported. */
function explaining<T>(file: string, families: readonly Family[], describe: () => T): T {
  try {
    return describe()
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error
    const titles = families.map(({ title }) => title).join(', ')
    const supported = `supported are ${titles}; docs/families.md says what of each`
    throw modelInvalid(file, error.message, error.advice === undefined ? supported : `${error.advice}. ${supported}`)
  }
}

/** Checks a configuration, from whatever format, for sizes that fit together. */
function checkModelConfig(file: string, candidate: ModelConfig): ModelConfig {
  const parsed = safeParse(modelConfigSchema, candidate)
  if (!parsed.success)
    throw modelInvalid(file, `the model's configuration is wrong: ${describeIssues(parsed.error, candidate)}`)
  return parsed.data
}
