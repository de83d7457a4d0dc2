import { safeParse } from '@resultity/interface'
import { z } from 'zod'
import { type Step, stepSchema } from './tokenizer-definition.ts'

const templateSchema = z.looseObject({
  single: z.array(z.looseObject({ SpecialToken: z.looseObject({ id: z.string() }).optional() })).max(64),
  special_tokens: z.record(z.string(), z.looseObject({ ids: z.array(z.int().min(0)).max(64) }))
})

/** The template among a post-processor's steps: the others move offsets, which nobody reads here. */
function templateOf(step: Step): z.infer<typeof templateSchema> | undefined {
  if (step.type === 'TemplateProcessing') return safeParse(templateSchema, step).data
  const inner = safeParse(z.array(stepSchema).max(16), step.processors)
  if (step.type !== 'Sequence' || !inner.success) return undefined
  return inner.data.map(templateOf).find(template => template !== undefined)
}

/** Ids that a tokenizer's own rules put before a text, read off its `post_processor`; mostly one or none. */
export function beginTokenIds(postProcessor: unknown): number[] {
  const step = safeParse(stepSchema, postProcessor)
  const template = step.success ? templateOf(step.data) : undefined
  if (template === undefined) return []
  const text = template.single.findIndex(piece => piece.SpecialToken === undefined)
  return template.single.slice(0, Math.max(0, text)).flatMap(({ SpecialToken: token }) => {
    return token === undefined ? [] : (template.special_tokens[token.id]?.ids ?? [])
  })
}
