import type { Job, JobUsage } from '@resultity/store'
import type { ImagePlan } from './image-plan.ts'
import type { ImagesAnswer, ImageUsage } from './image-schema.ts'

/** A picture in an answer. */
export type AnsweredPicture = { readonly b64_json: string } | { readonly url: string }

const listed = ['1024x1024', '1024x1536', '1536x1024'] as const
export type ListedSize = (typeof listed)[number]

/** A size, where OpenAI lists it. */
export function listedSize(size: string): ListedSize | undefined {
  return listed.find(one => one === size)
}

const qualities: Readonly<Record<string, 'low' | 'medium' | 'high'>> = {
  low: 'low',
  standard: 'medium',
  medium: 'medium',
  high: 'high',
  hd: 'high'
}

/** A quality that was asked for, by the names that answers have; undefined where it was left to us. */
export function listedQuality(quality: string | null | undefined): 'low' | 'medium' | 'high' | undefined {
  return qualities[quality ?? 'auto']
}

/** Tokens by OpenAI's names. @param pictures that are done */
export function usageOf({ usage }: Pick<ImagePlan, 'usage'>, pictures: number): ImageUsage {
  const input = usage.text + usage.image
  const output = usage.picture * pictures
  return {
    input_tokens: input,
    input_tokens_details: { text_tokens: usage.text, image_tokens: usage.image },
    output_tokens: output,
    total_tokens: input + output
  }
}

/** The same, as jobs count. */
export function jobUsageOf(usage: ImageUsage): JobUsage {
  return { promptTokens: usage.input_tokens, completionTokens: usage.output_tokens }
}

/** The body of an answer. @param quality as it was asked for */
export function imagesAnswer(
  plan: ImagePlan,
  data: readonly AnsweredPicture[],
  { job, quality }: { readonly job: Pick<Job, 'createdAtMs'>; readonly quality: string | null | undefined }
): ImagesAnswer {
  const size = listedSize(plan.values.size)
  const named = listedQuality(quality)
  return {
    created: Math.floor(job.createdAtMs / 1000),
    data: [...data],
    background: 'opaque',
    output_format: plan.format,
    ...(size && { size }),
    ...(named && { quality: named }),
    usage: usageOf(plan, plan.count),
    mesh: plan.values
  }
}
