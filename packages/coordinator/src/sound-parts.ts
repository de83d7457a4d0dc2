import {
  AudioDecoder,
  DEFAULT_AUDIO_LIMITS,
  EncodingThread,
  type Ffmpeg,
  type FindFfmpegInit,
  findFfmpeg
} from '@resultity/audio'
import type { AbortOptions, Scheduler } from '@resultity/interface'
import { PhonemeThread } from '@resultity/phonemes'
import type { Logger } from 'pino'

/** What recordings may cost. */
export interface SoundLimits {
  /** The longest recording, and the most sound heard at once, in seconds: each takes 64 kB of memory, 96 kB from ffmpeg. */
  readonly recordingSecondsMax: number
}

export const DEFAULT_SOUND_LIMITS: SoundLimits = { recordingSecondsMax: DEFAULT_AUDIO_LIMITS.secondsMax }

export interface SoundInit {
  /** Which ffmpeg reads what is not read here and writes AAC, or where it is looked for. Default: none. */
  readonly ffmpeg?: FindFfmpegInit
  readonly logger: Logger
}

/** What reads and writes sound. */
export interface SoundParts extends AsyncDisposable {
  readonly audio: AudioDecoder
  readonly encoding: EncodingThread
  /** Reads texts that are said. */
  readonly phonemes: PhonemeThread
}

/**
 * Opens what reads recordings and writes speech, and says in the log by what.
 *
 * @throws MeshError `settings_invalid` for an ffmpeg that was set and does not run; the signal's reason
 */
export async function openSound(
  { ffmpeg: wanted = { setting: false }, logger }: SoundInit,
  { recordingSecondsMax: secondsMax }: SoundLimits,
  { scheduler, signal }: AbortOptions & { readonly scheduler: Scheduler }
): Promise<SoundParts> {
  const ffmpeg = await findFfmpeg(wanted, { ...(signal && { signal }) })
  logFfmpeg(ffmpeg, logger)
  const common = { scheduler, ...(ffmpeg && { ffmpeg: ffmpeg.file }) }
  const parts = new AsyncDisposableStack()
  const audio = parts.use(new AudioDecoder({ ...common, limits: { secondsMax } }))
  const encoding = parts.use(new EncodingThread(common))
  const phonemes = parts.use(new PhonemeThread(scheduler))
  return { audio, encoding, phonemes, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

function logFfmpeg(ffmpeg: Ffmpeg | undefined, logger: Logger): void {
  if (ffmpeg === undefined)
    logger.info('there is no ffmpeg: m4a, mp4 with AAC and the like cannot be heard, and speech is not written as AAC')
  else
    logger.info(
      { ffmpeg: ffmpeg.file, version: ffmpeg.version },
      'ffmpeg reads m4a, mp4 with AAC and the like, and writes AAC'
    )
}
