import { serveTasks } from '@resultity/interface'
import { PronouncingDictionary } from './dictionary.ts'
import type { PhonemeTask } from './phoneme-thread.ts'
import { phonemize } from './phonemize.ts'

let opened: Promise<PronouncingDictionary> | undefined

serveTasks(async ({ text, ...how }: PhonemeTask) => {
  opened ??= PronouncingDictionary.open()
  return { result: phonemize(text, await opened, how) }
})
