/** Seconds that one recording took, part by part, and what was written of it. */
export interface Heard {
  /** The log-mel spectrogram. */
  readonly features: number
  readonly encoder: number
  /** All runs of the decoder and what is between them; the times of words among it, where they are wanted. */
  readonly decoder: number
  readonly text: string
}

/** How a {@link Listener} is started. Each hears the same samples with the same weights. */
export interface ListenerInit {
  /** Folder of a CTranslate2 Whisper. */
  readonly model: string
  /** A file of samples: one channel at 16 kHz, i16 little endian, 30 s at the most. */
  readonly samples: string
  readonly threads: number
}

/** A process that writes what is said, greedily and in f32, and can be measured again and again. */
export interface Listener extends AsyncDisposable {
  readonly name: string
  /** @param words whether the times of words are wanted */
  hear(words: boolean): Promise<Heard>
}
