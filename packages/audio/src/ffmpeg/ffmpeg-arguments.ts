import { type AudioLimits, SAMPLE_RATE } from '../audio-limits.ts'
import type { ForeignAudio } from '../decoding/foreign-audio.ts'

/** The largest piece of memory that ffmpeg may ask for at once. */
const ALLOC_BYTES_MAX = 256 * 1024 * 1024

/** Of its frames, as many may be bad as of those that are decoded here: one in twenty. */
const ERROR_RATE_MAX = 0.05

/**
 * What ffmpeg is called with: it reads one format by one set of codecs from a file that is its input, opens nothing
 * else, and writes samples of 16 bits. A pipe would not do: the table of an MP4 file may lie at its end.
 *
 * Its own limits are those of a process that nobody watches any more: seconds of processor time, and one second of sound
 * more than may be.
 *
 * @param deadlineMs after which it is ended from outside
 */
export function ffmpegArguments(foreign: ForeignAudio, { secondsMax }: AudioLimits, deadlineMs: number): string[] {
  const { demuxer, decoders } = foreign
  const quiet = ['-nostdin', '-hide_banner', '-loglevel', 'error']
  const cost = ['-max_alloc', `${ALLOC_BYTES_MAX}`, '-timelimit', `${Math.ceil(deadlineMs / 1000) + 5}`]
  const trust = [
    '-protocol_whitelist',
    'file',
    '-codec_whitelist',
    decoders.join(),
    '-max_error_rate',
    `${ERROR_RATE_MAX}`
  ]
  const input = ['-threads', '1', '-vn', '-sn', '-dn', '-f', demuxer, '-i', 'file:/dev/stdin']
  const sound = ['-map', '0:a:0', '-ac', '1', '-ar', `${SAMPLE_RATE}`, '-t', `${secondsMax + 1}`]
  return [...quiet, ...cost, ...trust, ...input, ...sound, '-c:a', 'pcm_s16le', '-f', 's16le', 'pipe:1']
}
