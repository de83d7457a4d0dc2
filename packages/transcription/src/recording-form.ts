import { DEFAULT_AUDIO_LIMITS } from '@resultity/audio'
import { invalidRequest } from '@resultity/interface'
import type { JobForm } from '@resultity/openai'

/** A form with a recording: its part "file" may also be the id of an uploaded one. */
export const recordingForm: JobForm = {
  fileBytesMax: DEFAULT_AUDIO_LIMITS.bytesMax,
  // more than any client sends, and a prompt
  fieldsMax: 64,
  fieldBytesMax: 65_536,
  kinds: {
    lists: new Set(['timestamp_granularities', 'include']),
    objects: new Set(['chunking_strategy', 'mesh']),
    numbers: new Set(['temperature', 'seed']),
    booleans: new Set(['stream', 'store'])
  },
  bodyOf: (fields, [file]) => {
    if (file === undefined) return fields
    if (fields.file === undefined) return { ...fields, file: file.id }
    throw invalidRequest('file', 'the form has a file and the name of one', 'Send one of them.')
  }
}
