/** One turn of a conversation. `developer` is OpenAI's newer word for `system`; templates see the latter. */
export interface ChatMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool'
  readonly content: string
  /** The content in its order, where it has pictures; {@link content} is its texts then. */
  readonly parts?: readonly ChatPart[]
  /** Of an assistant's turn: what it reasoned before. Templates leave it out or write it, as their models learned. */
  readonly reasoning?: string
  /** Of an assistant's turn; for templates that write tools. */
  readonly toolCalls?: readonly ToolCall[]
  /** Of a tool's turn: the call that it answers. */
  readonly toolCallId?: string
  /** Of a tool's turn: the function that was called. */
  readonly name?: string
}

/** A part of a turn: a text, or a picture, for which templates write a token. */
export type ChatPart = { readonly type: 'text'; readonly text: string } | { readonly type: 'image' }

/** A call that the model made in an earlier turn. */
export interface ToolCall {
  readonly id: string
  readonly name: string
  /** The parsed arguments; the text where it is no JSON. */
  readonly arguments: unknown
}
