import type { VoiceManifest } from '@resultity/interface'

/**
 * Bytes that a run takes beside the weights, for each byte of them: measured with voices of medium quality, 63 MB, whose longest
 * sentence (`SENTENCE_IDS_MAX`) takes 300 MB. A voice with wider layers takes more of both.
 */
const WORK_PER_WEIGHT = 6

export interface VoiceMemory {
  readonly weightBytes: number
  /** Bytes that the longest sentence needs beside them. */
  readonly workBytes: number
}

/** What serving a voice needs. Pure; the planner's input and the node's admission check. */
export function voiceMemory({ layers }: VoiceManifest): VoiceMemory {
  const weightBytes = layers.reduce((sum, file) => sum + file.bytes, 0)
  return { weightBytes, workBytes: WORK_PER_WEIGHT * weightBytes }
}

/** Multiplications of one phoneme: each weight works on some 100 samples or frames. A guess that only orders nodes. */
export function voiceWork({ layers }: VoiceManifest): number {
  return layers.reduce((sum, file) => sum + 25 * file.bytes, 0)
}
