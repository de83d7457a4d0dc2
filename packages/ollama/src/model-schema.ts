import { z } from 'zod'

const details = z
  .object({
    parent_model: z.string(),
    format: z.string(),
    family: z.string(),
    families: z.array(z.string()),
    parameter_size: z.string(),
    quantization_level: z.string()
  })
  .meta({ id: 'OllamaModelDetails' })
export type ModelDetails = z.infer<typeof details>

const listed = z
  .object({
    name: z.string(),
    model: z.string(),
    modified_at: z.string(),
    /** Bytes of its weights. */
    size: z.int(),
    digest: z.string(),
    details
  })
  .meta({ id: 'OllamaModel' })
export type ListedModel = z.infer<typeof listed>

export const tagsSchema = z.object({ models: z.array(listed) }).meta({ id: 'OllamaTags' })

const running = listed.omit({ modified_at: true }).extend({
  /** Never: a model is there as long as its coordinator. */
  expires_at: z.string(),
  /** Bytes in the memory of graphics cards: nodes compute with processors. */
  size_vram: z.int(),
  context_length: z.int()
})
export type RunningModel = z.infer<typeof running>

export const psSchema = z
  .object({ models: z.array(running.meta({ id: 'OllamaRunningModel' })) })
  .meta({ id: 'OllamaPs' })

/** Body of `POST /api/show`. */
export const showBodySchema = z
  .looseObject({
    model: z.string().max(512).nullish(),
    /** An earlier name of `model`. */
    name: z.string().max(512).nullish()
  })
  .meta({ id: 'OllamaShowRequest' })

export const shownSchema = z
  .object({
    modelfile: z.string(),
    parameters: z.string(),
    /** In Jinja, where Ollama's are Go's. */
    template: z.string(),
    details,
    model_info: z.record(z.string(), z.union([z.string(), z.number()])),
    capabilities: z.array(z.string()),
    modified_at: z.string()
  })
  .meta({ id: 'OllamaShown' })
export type ShownModel = z.infer<typeof shownSchema>

export const versionSchema = z.object({ version: z.string() }).meta({ id: 'OllamaVersion' })
