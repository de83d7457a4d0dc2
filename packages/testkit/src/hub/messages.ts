import type { CheckpointShape } from '@resultity/test-hub'

/** What the process of the hub is started with. */
export interface HubChildInit {
  readonly repository: string
  readonly shape: CheckpointShape
  readonly shards: number
  /** GGUF files in Q8_0 in place of safetensors in bf16. */
  readonly gguf: boolean
  /** Paths of the files beside the weights, by name. */
  readonly small: Readonly<Record<string, string>>
}

export type HubChildReply =
  | { readonly kind: 'up'; readonly url: string }
  /** Bytes sent by the token that was shown. */
  | { readonly kind: 'sent'; readonly sentTo: Readonly<Record<string, number>> }

/** What a process that makes layers is started with. */
export interface MakerInit {
  /** The manifest's file in the coordinator's store. */
  readonly manifestPath: string
  readonly dataDir: string
  readonly indices: readonly number[]
  readonly hubUrl: string
  readonly token: string
}

export type MakerReply =
  | { readonly kind: 'progress'; readonly fraction: number }
  | { readonly kind: 'done'; readonly sha256s: readonly string[]; readonly peakBytes: number }
