import { serveTasks } from '@resultity/interface'
import { speechSpans } from '../voice/speech-spans.ts'
import { VoiceActivity, voiceOf } from '../voice/voice-activity.ts'
import type { AudioAnswer, AudioTask } from './audio-task.ts'
import { decodeFile } from './decode-file.ts'

// decoders print what is wrong with a file, which whoever sends files would fill the log with
const silent = (): undefined => undefined
Object.assign(console, { error: silent, warn: silent, info: silent, log: silent })

let voice: VoiceActivity | undefined

serveTasks(async ({ bytes, limits, speech }: AudioTask, progress) => {
  progress('decoding')
  const { samples, container, codec } = await decodeFile(bytes, limits)
  let spans: AudioAnswer['speech']
  if (speech !== undefined) {
    progress('finding speech')
    voice ??= new VoiceActivity()
    spans = speechSpans(voiceOf(voice, samples), samples.length, speech)
  }
  const result: AudioAnswer = { samples, container, codec, speech: spans }
  return { result, transfer: [samples.buffer] }
})
