import type { MeshError } from '@resultity/interface'
import { audioInvalid } from '../audio-invalid.ts'

/** How a process ended: one of the two is null. */
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const QUOTE_LENGTH_MAX = 200

/** What ffmpeg says that is no damage. */
const reasons: readonly (readonly [RegExp, 'no_audio_track' | 'unsupported'])[] = [
  [/matches no streams/, 'no_audio_track'],
  [/Error while opening decoder|Decoder \(codec [^)]*\) not found|Unknown input format/, 'unsupported']
]

/** What a system sends to a process that takes too much memory or time. */
const costly: readonly (NodeJS.Signals | null)[] = ['SIGKILL', 'SIGXCPU']

/**
 * The error of an ffmpeg that did not end well by itself.
 * @param name the file, for people: "mp4 with AAC audio"
 * @param said what it wrote to its error output, or the end of that
 */
export function ffmpegError(name: string, { code, signal }: ProcessEnd, said: string): MeshError {
  const how = signal === null ? `exit code ${code}` : signal
  const message = `ffmpeg cannot decode the file, ${name} (${how}): ${quoted(said)}`
  if (costly.includes(signal)) return audioInvalid('too_costly', message)
  return audioInvalid(reasons.find(([pattern]) => pattern.test(said))?.[1] ?? 'damaged', message)
}

/** The last line, in plain characters and short: files may have it say anything. */
export function quoted(said: string): string {
  const plain = said.replaceAll(/[^ -~\n]/g, '?')
  // where it lies in memory
  const lines = plain.split('\n').map(line => line.replaceAll(/ @ 0x[0-9a-f]+/g, '').trim())
  return (
    lines.findLast(line => line !== '' && !line.startsWith('Last message repeated'))?.slice(0, QUOTE_LENGTH_MAX) ??
    'it says nothing'
  )
}
