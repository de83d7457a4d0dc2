import type { ContentPart } from '@resultity/openai'
import type { ResponseItem } from './response-schema.ts'

/** An item as it is listed: with everything that the client may have left out. */
export function toItemView(item: ResponseItem): ResponseItem & { readonly id: string; readonly type: string } {
  const { type, id, content, role, status } = item
  const common = {
    ...item,
    type: type ?? 'message',
    id: id ?? '',
    status: typeof status === 'string' ? status : 'completed'
  }
  if (common.type !== 'message') return common
  return { ...common, content: typeof content === 'string' ? [textPart(content, role)] : content?.map(partView) }
}

/** OpenAI lists of a picture how closely it is looked at, which is always as the model was trained to. */
function partView(part: ContentPart): ContentPart {
  return part.type === 'input_image' ? { detail: 'auto', ...part } : part
}

function textPart(text: string, role: string | undefined) {
  return role === 'assistant'
    ? { type: 'output_text', text, annotations: [], logprobs: [] }
    : { type: 'input_text', text }
}
