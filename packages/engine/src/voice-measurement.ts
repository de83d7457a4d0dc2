import type { AbortOptions } from '@resultity/interface'
import { median } from './median.ts'
import type { Voice } from './voice.ts'

/** What sentences of a voice cost on this machine as it is now, other load included. */
export interface VoiceMeasurement {
  readonly msPerPhoneme: number
}

/** A short sentence: a long one would take a small machine seconds. */
const PHONEMES = 64
const RUNS = 3

/** Times a few sentences of any sounds, which also shows that the weights give numbers. @throws what a run throws */
export async function measureVoice(voice: Voice, options: AbortOptions = {}): Promise<VoiceMeasurement> {
  const phonemeIds = Array.from({ length: PHONEMES }, (_, index) => index % voice.config.phonemeCount)
  const times: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now()
    await voice.say({ phonemeIds, lengthScale: 1 }, options)
    times.push(performance.now() - start)
  }
  return { msPerPhoneme: median(times) / PHONEMES }
}
