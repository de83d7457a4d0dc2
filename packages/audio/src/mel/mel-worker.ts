import { serveTasks } from '@resultity/interface'
import { logMel } from './log-mel.ts'
import type { MelTask } from './mel-thread.ts'

serveTasks(({ samples, bins }: MelTask) => {
  const mel = logMel(samples, bins)
  return { result: mel, transfer: [mel.buffer] }
})
