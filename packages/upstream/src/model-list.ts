import {
  CHAT_ENDPOINT,
  COMPLETIONS_ENDPOINT,
  EMBEDDINGS_ENDPOINT,
  OFFERED_MODELS_BYTES_MAX,
  OFFERED_MODELS_MAX,
  type OfferedModel,
  offeredModelSchema,
  RELAYED_ENDPOINTS,
  safeParse
} from '@resultity/interface'
import { z } from 'zod'

const count = z.int().min(1).max(16_777_216).nullish().catch(undefined)

/** What servers say of a model, each in words of its own; what is not understood is not known. */
const listedSchema = z.looseObject({
  id: z.string(),
  /** vLLM, SGLang. */
  max_model_len: count,
  /** LM Studio. */
  max_context_length: count,
  /** A coordinator of a mesh. */
  contextLength: count,
  /** Others. */
  context_length: count,
  /** llama-server. */
  meta: z.looseObject({ n_ctx: count, n_ctx_train: count }).nullish().catch(undefined),
  /** LM Studio: `llm`, `vlm` or `embeddings`. */
  type: z.string().nullish().catch(undefined),
  /** A coordinator of a mesh. */
  kind: z.string().nullish().catch(undefined)
})
type Listed = z.infer<typeof listedSchema>

const listSchema = z.looseObject({ data: z.array(z.unknown()) })

export interface Offering {
  /** Which models are offered; default: all. */
  readonly wanted: readonly string[] | undefined
  readonly jobsMax: number
}

/**
 * The models of a server's list that may be offered: those that are wanted, with a name that can be shown. What another mesh
 * has of an upstream of its own is left out: two meshes would pass requests to each other for ever. Undefined: it is no list
 * of models. Pure.
 */
export function modelsOf(body: unknown, { wanted, jobsMax }: Offering): OfferedModel[] | undefined {
  const list = safeParse(listSchema, body)
  if (!list.success) return undefined
  const names = new Set<string>()
  return list.data.data.flatMap(entry => {
    const listed = safeParse(listedSchema, entry)
    if (!listed.success || names.has(listed.data.id)) return []
    const endpoints = endpointsOf(listed.data)
    const contextLength = contextOf(listed.data)
    const model = { name: listed.data.id, endpoints, jobsMax, ...(contextLength == null ? {} : { contextLength }) }
    const offered = safeParse(offeredModelSchema, model)
    if (!offered.success || wanted?.includes(model.name) === false) return []
    names.add(model.name)
    return [offered.data]
  })
}

/** As many of these models as an advert has room for, those that come first. Pure. */
export function advertised(models: readonly OfferedModel[]): OfferedModel[] {
  let bytes = 0
  return models.slice(0, OFFERED_MODELS_MAX).filter(model => {
    bytes += Buffer.byteLength(JSON.stringify(model)) + 1
    return bytes <= OFFERED_MODELS_BYTES_MAX
  })
}

function contextOf({ meta, ...listed }: Listed): number | null | undefined {
  const { contextLength, max_model_len, max_context_length, context_length } = listed
  return contextLength ?? max_model_len ?? max_context_length ?? context_length ?? meta?.n_ctx ?? meta?.n_ctx_train
}

/** Most servers do not say what a model is for: then all may be asked of it, and the server refuses what it cannot. */
function endpointsOf({ kind, type }: Listed): readonly string[] {
  if (kind === 'decoder' || type === 'llm' || type === 'vlm') return [CHAT_ENDPOINT, COMPLETIONS_ENDPOINT]
  if (kind === 'encoder' || type === 'embeddings') return [EMBEDDINGS_ENDPOINT]
  // a model for which there is another route, or one of an upstream's upstream
  return kind === undefined || kind === null ? RELAYED_ENDPOINTS : []
}
