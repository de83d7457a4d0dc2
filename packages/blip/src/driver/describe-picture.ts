import { type Captioner, type DescriptionResult, MeshError, type WorkOptions } from '@resultity/interface'

/** What picks the tokens of a text, one after the other, and remembers them. */
export interface TokenChooser {
  /**
   * The token at `position`.
   *
   * @param logits f32 `[vocabularySize]`
   */
  next(logits: Float32Array, position: number): number
}

export interface DescriptionInit {
  /** f32 `[3, imageSize, imageSize]`, as the model looks at it. */
  readonly pixels: Float32Array
  /** Of a model that answers, and of no other. */
  readonly question?: readonly number[] | undefined
  /** Tokens that the text begins with, behind the one that begins every text. */
  readonly prompt: readonly number[]
  /** Tokens to be written at the most. */
  readonly tokensMax: number
  /** @param tokens the text so far, which it counts as seen */
  chooser(tokens: readonly number[]): TokenChooser
}

/**
 * Writes what a picture shows, or the answer to a question of it: token by token, up to the one that ends the text, to
 * `tokensMax`, or to the end of the model's context.
 *
 * @throws MeshError `context_length_exceeded` where the beginning leaves no room, and what {@link Captioner.look} and the runs of
 *   its text throw
 */
export async function describePicture(
  model: Captioner,
  { pixels, question, prompt, tokensMax, chooser }: DescriptionInit,
  options: WorkOptions = {}
): Promise<DescriptionResult> {
  const { tokens: special, textContext } = model.config
  const begun = [special.begin, ...prompt]
  const room = Math.min(tokensMax, textContext - begun.length)
  if (room < 1) {
    const message = `a beginning of ${begun.length} tokens came, and texts of the model have ${textContext}`
    throw new MeshError('context_length_exceeded', message, { details: { param: 'prompt' } })
  }
  using text = await model.look(pixels, { ...options, ...(question === undefined ? {} : { question }) })
  const choice = chooser(begun)
  const tokens: number[] = []
  let logits = await text.run(begun, options)
  for (;;) {
    const token = choice.next(logits, text.position)
    if (token === special.end) return { tokens, finish: 'stop' }
    tokens.push(token)
    if (tokens.length === room) return { tokens, finish: 'length' }
    logits = await text.run([token], options)
  }
}
