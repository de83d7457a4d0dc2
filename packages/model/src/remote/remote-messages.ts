import type { FileExtent } from '@resultity/formats'
import type { ErrorCode, Quantize } from '@resultity/interface'
import type { TokenizerFiles } from '@resultity/tokenizer'
import type { ModelDescription, WeightLayout } from '../import/convert.ts'
import type { SpoolContent } from './spool.ts'

/** Bytes of a file in memory: a header, or some small tensor that decides how the model is read. */
export interface Head extends FileExtent {
  readonly content: Uint8Array<ArrayBuffer>
}

export interface RemoteWorkerInit {
  /** Folder with the small files: `config.json`, the index. */
  readonly directory: string
  readonly quantize: Quantize | undefined
  /** The weight files, which are not there. */
  readonly weights: readonly { readonly path: string; readonly bytes: number }[]
}

/** One request, one reply; after `convert` come chunks, each asked for by `next`. */
export type RemoteRequest =
  /** With what was missing the time before. */
  | { readonly kind: 'plan'; readonly heads: readonly Head[] }
  /** After the plan, of a GGUF model. */
  | { readonly kind: 'tokenizer' }
  | { readonly kind: 'convert'; readonly index: number; readonly spool: SpoolContent }
  /** Converts, and keeps nothing but the hash. */
  | { readonly kind: 'hash'; readonly index: number; readonly spool: SpoolContent }
  | { readonly kind: 'next' }

/** A model laid out, before any of its weights is read. */
export interface RemotePlan {
  readonly description: ModelDescription
  readonly layouts: readonly WeightLayout[]
  /** By file: what it is made of, merged. */
  readonly sources: readonly (readonly FileExtent[])[]
}

export type RemoteReply =
  | ({ readonly kind: 'plan' } & RemotePlan)
  | { readonly kind: 'tokenizer'; readonly files: TokenizerFiles }
  /** Send these bytes too, and ask again. */
  | { readonly kind: 'missing'; readonly extent: FileExtent }
  | { readonly kind: 'chunk'; readonly chunk: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'hashed'; readonly sha256: string }
  | { readonly kind: 'file-end' }
  | { readonly kind: 'failure'; readonly code: ErrorCode; readonly message: string; readonly hint: string | undefined }
