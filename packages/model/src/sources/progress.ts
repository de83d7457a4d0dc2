import type { AbortOptions } from '@resultity/interface'

/** How far an import is. Comes often; show it at your own pace. */
export interface ImportProgress {
  readonly phase: 'connect' | 'download' | 'unpack' | 'convert'
  /** What is worked on: a source, a file. */
  readonly what: string
  readonly bytesDone: number
  /** 0 where the source does not say. */
  readonly bytesTotal: number
}

export interface ProgressOptions extends AbortOptions {
  onProgress?(progress: ImportProgress): void
}
