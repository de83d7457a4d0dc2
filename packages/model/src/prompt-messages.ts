import { type ErrorCode, MeshError } from '@resultity/interface'
import type { ChatMessage, ChatTemplateOptions } from './chat-template.ts'
import type { TokenizerLimits } from './tokenizer.ts'

/** What the thread that makes tokens begins with. */
export interface PromptThreadInit {
  readonly definitionPath: string
  readonly configPath: string
  readonly endTokenIds: readonly number[]
  readonly limits: TokenizerLimits
}

export type PromptWork =
  | { readonly type: 'texts'; readonly texts: readonly string[] }
  | { readonly type: 'chat'; readonly messages: readonly ChatMessage[]; readonly options: ChatTemplateOptions }

export type PromptRequest = PromptWork & { readonly id: number }

/** An error as it travels between threads. */
export interface PromptFailure {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string | undefined
  readonly details: Readonly<Record<string, unknown>>
}

export type PromptReply = { readonly id: number } & (
  | { readonly ids: readonly Uint32Array<ArrayBuffer>[] }
  | { readonly failure: PromptFailure }
)

export function toFailure(error: unknown): PromptFailure {
  const { code, message, hint, details } = MeshError.from(error)
  return { code, message, hint, details }
}

export function fromFailure({ code, message, hint, details }: PromptFailure): MeshError {
  return new MeshError(code, message, { details, hint })
}
