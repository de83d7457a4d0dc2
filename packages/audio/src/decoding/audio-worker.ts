import { serveTasks } from '@resultity/interface'
import { speechSpans } from '../voice/speech-spans.ts'
import { VoiceActivity, voiceOf } from '../voice/voice-activity.ts'
import type { AudioTask, HeardFile } from './audio-task.ts'
import { decodeFile, measureFile } from './decode-file.ts'

// decoders print what is wrong with a file, which whoever sends files would fill the log with
const silent = (): undefined => undefined
Object.assign(console, { error: silent, warn: silent, info: silent, log: silent })

let voice: VoiceActivity | undefined

serveTasks(async ({ bytes, limits, measured, speech }: AudioTask, progress) => {
  progress('decoding')
  if (measured) return { result: await measureFile(bytes, limits) }
  const file = await decodeFile(bytes, limits)
  if (!('samples' in file)) return { result: file }
  const { samples } = file
  let spans: HeardFile['speech']
  if (speech !== undefined) {
    progress('finding speech')
    voice ??= new VoiceActivity()
    spans = speechSpans(voiceOf(voice, samples), samples.length, speech)
  }
  const result: HeardFile = { ...file, speech: spans }
  return { result, transfer: [samples.buffer] }
})
