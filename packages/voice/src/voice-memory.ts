import { type VoiceManifest, weightFiles } from '@resultity/interface'

/**
 * Bytes that a run takes beside the weights, for each byte of them. Measured with voices of Piper of medium quality, 63 MB, whose
 * longest sentence (`SENTENCE_IDS_MAX`) takes 300 MB; and with Kokoro in 8 bit, 92 MB, which takes 130 MB more than its files
 * once it is loaded, and 450 MB for 15 s of speech. A voice with wider layers takes more of all.
 */
const WORK_PER_WEIGHT = { piper: 6, kokoro: 8 } as const

export interface VoiceMemory {
  readonly weightBytes: number
  /** Bytes that the longest sentence needs beside them. */
  readonly workBytes: number
}

/** What serving a voice needs. Pure; the planner's input and the node's admission check. */
export function voiceMemory(manifest: VoiceManifest): VoiceMemory {
  const weightBytes = weightFiles(manifest).reduce((sum, file) => sum + file.bytes, 0)
  return { weightBytes, workBytes: WORK_PER_WEIGHT[manifest.architecture] * graphBytes(manifest) }
}

/** Multiplications of one phoneme: each weight works on some 100 samples or frames. A guess that only orders nodes. */
export function voiceWork(manifest: VoiceManifest): number {
  return 25 * graphBytes(manifest)
}

function graphBytes({ layers }: VoiceManifest): number {
  return layers.reduce((sum, file) => sum + file.bytes, 0)
}
