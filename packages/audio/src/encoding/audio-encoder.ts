/** Forms in which sound is written. */
export const audioFormats = ['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'] as const
export type AudioFormat = (typeof audioFormats)[number]

/** Those that are written here; AAC is written by ffmpeg. */
export type OwnFormat = Exclude<AudioFormat, 'aac'>

/** Media types of what encoders write. */
export const audioMediaTypes: Readonly<Record<AudioFormat, string>> = {
  mp3: 'audio/mpeg',
  opus: 'audio/ogg',
  aac: 'audio/aac',
  flac: 'audio/flac',
  wav: 'audio/wav',
  pcm: 'audio/pcm'
}

/** Writes one channel of sound as it comes. */
export interface AudioEncoder {
  /** @param samples s16 @returns what is complete of the file; perhaps nothing yet */
  encode(samples: Int16Array): Uint8Array
  /** @returns the rest of the file */
  finish(): Uint8Array
}
