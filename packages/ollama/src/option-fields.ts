import { invalidRequest, REPETITION_PENALTY_MAX, REPETITION_PENALTY_MIN } from '@resultity/interface'
import { chatRequestSchema } from '@resultity/openai'
import { z } from 'zod'

const { temperature, top_p, top_k, min_p, frequency_penalty, presence_penalty, seed, stop } = chatRequestSchema.shape

/** `options` of a request: what of them changes an answer. Others, such as `num_ctx`, are about how a model is loaded. */
export const optionsSchema = z.looseObject({
  temperature,
  top_p,
  top_k,
  min_p,
  frequency_penalty,
  presence_penalty,
  /** -1 for one that nobody knows. */
  seed,
  stop,
  /** Tokens of the answer; with 0 or less, as many as fit. */
  num_predict: z.int().max(0x7fff_ffff).nullish(),
  repeat_penalty: z.number().min(REPETITION_PENALTY_MIN).max(REPETITION_PENALTY_MAX).nullish(),
  /** How many of the last tokens penalties count; 0 for none, -1 for all, which is the only other that is served. */
  repeat_last_n: z.int().nullish(),
  penalize_newline: z.boolean().nullish(),
  mirostat: z.int().nullish(),
  typical_p: z.number().nullish(),
  tfs_z: z.number().nullish()
})
export type Options = z.infer<typeof optionsSchema>

/** What holds where a request says nothing: Ollama's own, but for a penalty on what came in the last 64 tokens. */
const DEFAULTS = { temperature: 0.8, top_k: 40, top_p: 0.9 }

/** Samplers that are off at these values, and not served otherwise. */
const samplers = { mirostat: [0], typical_p: [1], tfs_z: [1] } as const

/**
 * The fields of a chat completion or a completion that options stand for.
 *
 * @throws MeshError `invalid_request` naming an option that would change the answer and is not served
 */
export function samplingFields(options: Options | null | undefined): Readonly<Record<string, unknown>> {
  const given = options ?? {}
  refuseUnserved(given)
  const penalties = given.repeat_last_n === 0 ? {} : penaltiesOf(given)
  const { stop: stops, seed: wanted } = given
  return present({
    temperature: given.temperature ?? DEFAULTS.temperature,
    top_p: given.top_p ?? DEFAULTS.top_p,
    top_k: given.top_k ?? DEFAULTS.top_k,
    min_p: given.min_p,
    ...penalties,
    seed: wanted === -1 ? undefined : wanted,
    stop: Array.isArray(stops) && stops.length === 0 ? undefined : stops
  })
}

/** Tokens that the answer may have; undefined: as many as fit. */
export function tokenLimit(options: Options | null | undefined): number | undefined {
  const limit = options?.num_predict ?? 0
  return limit > 0 ? limit : undefined
}

function penaltiesOf({ repeat_penalty, frequency_penalty: frequency, presence_penalty: presence }: Options) {
  return { repetition_penalty: repeat_penalty, frequency_penalty: frequency, presence_penalty: presence }
}

function refuseUnserved(options: Options): void {
  for (const [name, neutral] of Object.entries(samplers)) {
    const value = options[name]
    if (value === undefined || value === null || neutral.some(one => one === value)) continue
    throw unserved(name, `Leave it out, or send ${neutral[0]}.`)
  }
  if (!penalizes(options)) return
  const { repeat_last_n: last, penalize_newline: newlines } = options
  if (last !== undefined && last !== null && last !== 0 && last !== -1) {
    throw unserved('repeat_last_n', 'Penalties count all that came: send -1, or leave it out.')
  }
  if (newlines === false) throw unserved('penalize_newline', 'Penalties count every token: leave it out.')
}

function penalizes(options: Options): boolean {
  const { repetition_penalty: repetition, frequency_penalty, presence_penalty } = penaltiesOf(options)
  return (repetition ?? 1) !== 1 || (frequency_penalty ?? 0) !== 0 || (presence_penalty ?? 0) !== 0
}

function unserved(name: string, instead: string) {
  return invalidRequest(`options.${name}`, `options.${name} changes the answer, and is not served here`, instead)
}

/** Leaves out fields that are undefined or null. */
export function present(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))
}

const OPTION_OF: Readonly<Record<string, string>> = {
  max_completion_tokens: 'num_predict',
  max_tokens: 'num_predict',
  repetition_penalty: 'repeat_penalty',
  temperature: 'temperature',
  top_p: 'top_p',
  top_k: 'top_k',
  min_p: 'min_p',
  frequency_penalty: 'frequency_penalty',
  presence_penalty: 'presence_penalty',
  seed: 'seed',
  stop: 'stop'
}

/** How the option is called that a field of a chat completion was made of; undefined for one that was made of none. */
export function optionParam(param: string): string | undefined {
  const [name = ''] = param.split(/[.[]/, 1)
  const option = OPTION_OF[name]
  return option === undefined ? undefined : `options.${option}${param.slice(name.length)}`
}
