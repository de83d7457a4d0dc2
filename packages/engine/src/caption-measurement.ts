import { type AbortOptions, type Captioner, lookedAtSize } from '@resultity/interface'
import { median } from './median.ts'

/** What descriptions of pictures cost on this machine as it is now, other load included. */
export interface CaptionMeasurement {
  /** Milliseconds of one token on one layer of the decoder. */
  readonly msPerTokenLayer: number
  /** Milliseconds that a picture is looked at for. */
  readonly lookingMs: number
}

const TOKENS = 8

/** Looks at a grey picture and writes a few tokens of it, which also shows that the weights give numbers. */
export async function measureCaptioner(model: Captioner, options: AbortOptions = {}): Promise<CaptionMeasurement> {
  const { task, text: tower, tokens } = model.config
  const asked = task === 'answer' ? { question: [tokens.end] } : {}
  const begun = performance.now()
  using text = await model.look(new Float32Array(lookedAtSize(model.config)), { ...options, ...asked })
  const lookingMs = performance.now() - begun
  const times: number[] = []
  for (let count = 0; count < TOKENS; count++) {
    const start = performance.now()
    await text.run([tokens.begin], options)
    times.push(performance.now() - start)
  }
  return { msPerTokenLayer: median(times) / tower.layerCount, lookingMs }
}
