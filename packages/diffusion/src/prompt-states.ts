import {
  type DiffusionConfig,
  type DiffusionModel,
  MeshError,
  type TextStates,
  type WorkOptions
} from '@resultity/interface'
import { asText, countTokens, imagined, type ReadText } from './imagined.ts'
import { draws, type NoiseSource } from './noise.ts'
import type { PictureRequest, PromptTokens } from './picture-request.ts'

/** What the denoiser is driven to, and away from where there is guidance. */
export interface PromptStates {
  readonly prompt: TextStates
  readonly negative?: TextStates
}

type ReadingModel = Pick<DiffusionModel, 'config' | 'encodeText' | 'prior'>

/**
 * Encodes the prompt of a request, and the negative one where a step needs both. Of a model that draws embeddings, what a prior makes
 * of them.
 *
 * @throws what {@link DiffusionModel.encodeText} and a prior throw
 */
export async function encodePrompts(
  model: ReadingModel,
  request: PictureRequest,
  noise: NoiseSource,
  options: WorkOptions
): Promise<PromptStates> {
  if (model.config.prior !== undefined) return await imaginePrompts(model, request, noise, options)
  const prompt = await model.encodeText(request.prompt, options)
  if (request.guidanceScale <= 1) return { prompt }
  if (model.config.zeroForEmpty && isEmpty(model.config, request.negative))
    return { prompt, negative: zerosLike(prompt) }
  // away from what it is driven to: nothing moves, and half of the runs would be for nothing
  if (sameTokens(request.prompt, request.negative)) return { prompt }
  return { prompt, negative: await model.encodeText(request.negative, options) }
}

/** Where nothing is said of what a picture should not be like, it is driven away from no picture. */
async function imaginePrompts(
  model: ReadingModel,
  request: PictureRequest,
  noise: NoiseSource,
  options: WorkOptions
): Promise<PromptStates> {
  const { config, prior } = model
  if (config.prior === undefined || prior === undefined) throw new MeshError('internal', 'the model has no prior')
  const read = async (tokens: PromptTokens): Promise<ReadText> => ({
    states: await model.encodeText(tokens, options),
    tokenCount: countTokens(config, tokens)
  })
  const prompt = await read(request.prompt)
  const negative = sameTokens(request.prompt, request.negative) ? prompt : await read(request.negative)
  const init = { prior, config: config.prior, negative, noise }
  const shown = await imagined({ ...init, prompt, draw: draws.prior }, options)
  if (request.guidanceScale <= 1) return { prompt: shown }
  if (isEmpty(config, request.negative)) return { prompt: shown, negative: asText(prior.nothing) }
  return { prompt: shown, negative: await imagined({ ...init, prompt: negative, draw: draws.priorNegative }, options) }
}

/** Whether the end stands right behind the beginning in every chunk. */
function isEmpty({ textEncoders }: DiffusionConfig, prompt: PromptTokens): boolean {
  return textEncoders.every(({ endToken }, index) => (prompt[index] ?? []).every(chunk => chunk[1] === endToken))
}

function zerosLike({ states, pooled, length, size }: TextStates): TextStates {
  return { states: new Float32Array(states.length), pooled: new Float32Array(pooled.length), length, size }
}

function sameTokens(one: PromptTokens, other: PromptTokens): boolean {
  return one.every((chunks, encoder) =>
    chunks.every((chunk, at) => {
      const against = other[encoder]?.[at]
      return against?.length === chunk.length && chunk.every((token, index) => token === against[index])
    })
  )
}
