import { ChannelReasoning } from './channel-reasoning.ts'
import type { ReasoningFormat } from './reasoning-format.ts'
import { type ReasoningTags, TaggedReasoning } from './tagged-reasoning.ts'

/** What is known about a model that may reason. */
export interface ModelText {
  /** The source of its chat template. */
  readonly template: string
  /** Whether its vocabulary has a token of its own with this name. */
  hasToken(name: string): boolean
}

/** The tags of families, the commonest first. */
const TAGS: readonly ReasoningTags[] = [
  { open: ['<think>'], close: '</think>' },
  { open: ['<|channel>', 'thought'], close: '<channel|>' },
  { open: ['[THINK]'], close: '[/THINK]' },
  { open: ['<seed:think>'], close: '</seed:think>' },
  { open: ['<|START_THINKING|>'], close: '<|END_THINKING|>' },
  { open: ['<|inner_prefix|>'], close: '<|inner_suffix|>' },
  { open: ['<thought>'], close: '</thought>' },
  { open: ['<reasoning>'], close: '</reasoning>' },
  { open: ['◁think▷'], close: '◁/think▷' }
]

/**
 * How a model writes its reasoning, by the tags that its template mentions, or else that its vocabulary has tokens for; undefined
 * for one that does not reason apart from its answer.
 */
export function recogniseReasoning({ template, hasToken }: ModelText): ReasoningFormat | undefined {
  if (template.includes('<|channel|>') && template.includes('<|message|>')) return new ChannelReasoning()
  const mentions = ({ open, close }: ReasoningTags): boolean =>
    template.includes(close) || open.every(part => template.includes(part))
  const hasTokens = ({ open: [first = ''], close }: ReasoningTags): boolean => hasToken(first) && hasToken(close)
  const tags = TAGS.find(mentions) ?? TAGS.find(hasTokens)
  return tags === undefined ? undefined : new TaggedReasoning(tags)
}
