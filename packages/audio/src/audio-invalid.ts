import { MeshError } from '@resultity/interface'

/**
 * What can be wrong with bytes that should be audio, in `details.fault`:
 * - `empty`: no bytes, or no samples
 * - `too_large`: more bytes than may be
 * - `not_audio`: no format that is known
 * - `unsupported`: a known format that is not decoded here
 * - `no_audio_track`: a container without audio
 * - `truncated`: it ends before it says
 * - `damaged`: its parts contradict each other
 * - `too_long`: more seconds than may be
 * - `too_costly`: decoding took more time or memory than it may
 */
export type AudioFault =
  | 'empty'
  | 'too_large'
  | 'not_audio'
  | 'unsupported'
  | 'no_audio_track'
  | 'truncated'
  | 'damaged'
  | 'too_long'
  | 'too_costly'

const hints: Readonly<Record<AudioFault, string>> = {
  empty: 'Send a file with sound in it.',
  too_large: 'Send a shorter file, or one that is compressed more, such as Opus or MP3.',
  not_audio: 'Send wav, mp3, flac, ogg or webm with Vorbis or Opus.',
  unsupported: 'Convert it to wav, mp3, flac, ogg or webm with Vorbis or Opus, and send that.',
  no_audio_track: 'Send a file that has an audio track.',
  truncated: 'Send the whole file; an upload or a recording broke off.',
  damaged: 'Save or convert the file again, and send the new one.',
  too_long: 'Cut it, and send the parts one after the other.',
  too_costly: 'Send a shorter file, or a wav of one channel.'
}

/** `invalid_request` of the field `file`, with the fault in `details.fault`. */
export function audioInvalid(fault: AudioFault, message: string, cause?: unknown): MeshError {
  return new MeshError('invalid_request', message, {
    hint: hints[fault],
    details: { param: 'file', fault },
    ...(cause === undefined ? {} : { cause })
  })
}
