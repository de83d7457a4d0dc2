import type { ChatMessage } from './templates/chat-message.ts'
import type { ChatTemplateOptions } from './templates/chat-template.ts'
import type { TokenizerLimits } from './tokenizer.ts'

/** What the thread that makes tokens begins with. */
export interface PromptThreadInit {
  readonly definitionPath: string
  readonly configPath: string
  readonly endTokenIds: readonly number[]
  readonly limits: TokenizerLimits
}

/** What it is asked; it answers with the ids of each text, and to `template` with the text. */
export type PromptWork =
  | { readonly type: 'texts'; readonly texts: readonly string[] }
  | {
      readonly type: 'chat' | 'template'
      readonly messages: readonly ChatMessage[]
      readonly options: ChatTemplateOptions
    }
