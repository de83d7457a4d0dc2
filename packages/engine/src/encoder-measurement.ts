import type { AbortOptions } from '@resultity/interface'
import { ENCODER_RUN_TOKENS_MAX } from '@resultity/model'
import type { Encoder } from './encoder.ts'
import { median } from './median.ts'

/** What an encoder's runs cost on this machine as it is now, other load included. */
export interface EncoderMeasurement {
  /** Milliseconds of one token of a full batch on one layer; the embedding and the pooling are shared out too. */
  readonly msPerTokenLayer: number
}

/** Some hundred tokens already keep a processor busy; a whole batch would take a large model seconds. */
const TOKENS = ENCODER_RUN_TOKENS_MAX / 4
const RUNS = 3

/** Times a few runs, which also shows that the weights give numbers. @throws what a run throws */
export async function measureEncoder(encoder: Encoder, options: AbortOptions = {}): Promise<EncoderMeasurement> {
  const width = Math.min(encoder.inputTokensMax, 128)
  const inputs = Array.from({ length: Math.ceil(TOKENS / width) }, (_, row) =>
    Array.from({ length: width }, (_, column) => (row * width + column) % encoder.vocabularySize)
  )
  const times: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now()
    await encoder.encode(inputs, options)
    times.push(performance.now() - start)
  }
  return { msPerTokenLayer: median(times) / (inputs.length * width * encoder.layerCount) }
}
