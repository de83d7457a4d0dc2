import { MeshError, safeParse } from '@resultity/interface'
import type { StreamView } from '@resultity/jobs'
import type { Job, JobEvent } from '@resultity/store'
import { z } from 'zod'
import { listedSize } from './image-answer.ts'
import { type ImagesAnswer, imagesAnswerSchema } from './image-schema.ts'

/** Type of an entry that shows a picture on its way. */
export const PARTIAL = 'partial_image'
/** Type of an entry for a step that is done. */
export const STEP = 'step'

const partialSchema = z.object({
  /** Of the request's pictures. */
  index: z.int(),
  partial: z.int(),
  b64_json: z.string(),
  /** Unix seconds. */
  created_at: z.int(),
  size: z.string(),
  quality: z.enum(['low', 'medium', 'high']).nullable(),
  output_format: z.string()
})
export type PartialEntry = z.infer<typeof partialSchema>

/** Type of an entry for a picture that an attempt goes on with: what an earlier one had drawn was kept. */
export const RESUMED = 'resumed'

/** Of {@link STEP} and {@link RESUMED}. */
export interface StepEntry {
  /** Of the request's pictures. */
  readonly index: number
  readonly step: number
  readonly steps: number
}

/** The log of a job as OpenAI streams it. @param name of its events: `image_generation` or `image_edit` */
export function imageView(name: 'image_generation' | 'image_edit'): StreamView {
  return {
    named: true,
    begin: () => [],
    render: ({ type, data }: JobEvent) => {
      if (type !== PARTIAL) return []
      const { partial, size, quality, ...shown } = partialSchema.parse(data)
      return [
        {
          type: `${name}.partial_image`,
          ...shown,
          size: listedSize(size) ?? 'auto',
          quality: quality ?? 'auto',
          background: 'opaque',
          partial_image_index: partial
        }
      ]
    },
    end: job => completedEvents(name, job)
  }
}

/** An event for each picture. What came with the request counts with the first, so that all together count as the request does. */
function completedEvents(name: string, job: Job): readonly object[] {
  const { data: answer } = safeParse(imagesAnswerSchema, job.result?.body)
  if (answer === undefined) throw new MeshError('internal', `request ${job.id} ended without pictures`)
  return answer.data.map(({ b64_json }, index) => ({
    type: `${name}.completed`,
    b64_json,
    created_at: Math.floor((job.endedAtMs ?? job.createdAtMs) / 1000),
    size: answer.size ?? 'auto',
    quality: answer.quality ?? 'auto',
    background: answer.background,
    output_format: answer.output_format,
    index,
    usage: shareOf(answer, index),
    mesh: answer.mesh
  }))
}

function shareOf({ usage, data }: ImagesAnswer, index: number): ImagesAnswer['usage'] {
  const output = usage.output_tokens / data.length
  const input = index === 0 ? usage.input_tokens : 0
  return {
    input_tokens: input,
    input_tokens_details: index === 0 ? usage.input_tokens_details : { text_tokens: 0, image_tokens: 0 },
    output_tokens: output,
    total_tokens: input + output
  }
}
