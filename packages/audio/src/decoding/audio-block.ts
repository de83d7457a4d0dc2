/** Some samples of a file as its codec gives them: f32 from -1 to 1, one array a channel, all of one length. */
export interface AudioBlock {
  readonly channels: readonly Float32Array[]
  /** Samples a second. */
  readonly rate: number
}

/** A file that is being decoded. */
export interface AudioStream {
  /** What it is made with, such as `pcm_s16le`, `mp3`, `opus`. */
  readonly codec: string
  readonly blocks: Iterable<AudioBlock> | AsyncIterable<AudioBlock>
}
