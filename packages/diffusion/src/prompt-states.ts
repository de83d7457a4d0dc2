import type { DiffusionConfig, DiffusionModel, TextStates, WorkOptions } from '@resultity/interface'
import type { PictureRequest, PromptTokens } from './picture-request.ts'

/** What the denoiser is driven to, and away from where there is guidance. */
export interface PromptStates {
  readonly prompt: TextStates
  readonly negative?: TextStates
}

/**
 * Encodes the prompt of a request, and the negative one where a step needs both.
 *
 * @throws what {@link DiffusionModel.encodeText} throws
 */
export async function encodePrompts(
  model: Pick<DiffusionModel, 'config' | 'encodeText'>,
  request: PictureRequest,
  options: WorkOptions
): Promise<PromptStates> {
  const prompt = await model.encodeText(request.prompt, options)
  if (request.guidanceScale <= 1) return { prompt }
  if (model.config.zeroForEmpty && isEmpty(model.config, request.negative))
    return { prompt, negative: zerosLike(prompt) }
  // away from what it is driven to: nothing moves, and half of the runs would be for nothing
  if (sameTokens(request.prompt, request.negative)) return { prompt }
  return { prompt, negative: await model.encodeText(request.negative, options) }
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
