import { type BarkConfig, promptBytes, promptNumbers } from '@resultity/interface'
import type { PromptNumbers } from './say-tokens.ts'

/**
 * What voice number `speaker` has said before.
 *
 * @param bytes of the file of prompts: 16 bits a number
 */
export function promptOf(config: BarkConfig, bytes: Uint8Array, speaker: number): PromptNumbers | undefined {
  const own = config.prompts[speaker]
  if (own === undefined || bytes.byteLength !== promptBytes(config)) return undefined
  const before = config.prompts.slice(0, speaker).reduce((sum, prompt) => sum + promptNumbers(config, prompt), 0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = before
  const row = (length: number): number[] => Array.from({ length }, () => view.getInt16(2 * at++, true))
  const rows = (count: number, length: number): number[][] => Array.from({ length: count }, () => row(length))
  return {
    semantic: row(own.semantic),
    coarse: rows(config.coarse.codebookCount, own.coarse),
    fine: rows(config.fine.codebookCount, own.fine)
  }
}
