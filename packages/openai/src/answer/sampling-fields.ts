import {
  invalidRequest,
  LOGIT_BIAS_MAX,
  REPETITION_PENALTY_MAX,
  REPETITION_PENALTY_MIN,
  type Sampling
} from '@resultity/interface'
import { z } from 'zod'
import { seedBits, seedSchema } from './seed.ts'

const penalty = z.number().min(-2).max(2).nullish()

/** How tokens are picked: OpenAI's fields, and those that vLLM and others added. */
export const samplingFields = {
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  seed: seedSchema.nullish(),
  frequency_penalty: penalty,
  presence_penalty: penalty,
  /** Token id, as text, to what is added to its logit. */
  logit_bias: z
    .record(z.string().regex(/^[0-9]{1,9}$/, 'a token id is a whole number'), z.number().min(-100).max(100))
    .refine(bias => Object.keys(bias).length <= LOGIT_BIAS_MAX, `logit_bias has at most ${LOGIT_BIAS_MAX} tokens`)
    .nullish(),
  /** As in vLLM: so many of the likeliest tokens; 0 or -1 for all. */
  top_k: z.int().min(-1).max(0x7fff_ffff).nullish(),
  /** As in vLLM: tokens at least that likely, as a share of the likeliest. */
  min_p: z.number().min(0).max(1).nullish(),
  /** As in vLLM: on what came in the prompt and the answer; 1 for none. */
  repetition_penalty: z.number().min(REPETITION_PENALTY_MIN).max(REPETITION_PENALTY_MAX).nullish()
}

const samplingBody = z.object(samplingFields)
export type SamplingFields = z.infer<typeof samplingBody>

/**
 * OpenAI's defaults: temperature 1, everything else off.
 *
 * @param seed in place of one that the client did not send
 * @throws MeshError `invalid_request` for a bias on a token that the model does not have
 */
export function samplingOf(fields: SamplingFields, seed: bigint, vocabularySize: number): Sampling {
  const optional = {
    frequencyPenalty: fields.frequency_penalty ?? 0,
    presencePenalty: fields.presence_penalty ?? 0,
    repetitionPenalty: fields.repetition_penalty === 1 ? 0 : (fields.repetition_penalty ?? 0),
    topK: Math.max(0, fields.top_k ?? 0),
    minP: fields.min_p ?? 0
  }
  const logitBias = Object.entries(fields.logit_bias ?? {}).map(([id, bias]) => ({ token: Number(id), bias }))
  const unknown = logitBias.find(({ token }) => token >= vocabularySize)
  if (unknown !== undefined) {
    throw invalidRequest(
      'logit_bias',
      `logit_bias names token ${unknown.token}; the model has ${vocabularySize} tokens`
    )
  }
  return {
    temperature: fields.temperature ?? 1,
    topP: fields.top_p ?? 1,
    seed: fields.seed === null || fields.seed === undefined ? seed : seedBits(fields.seed),
    // what is zero is not used, and not sent to the stages
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== 0)),
    ...(logitBias.length === 0 ? {} : { logitBias })
  }
}
