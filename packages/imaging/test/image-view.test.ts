import type { Job } from '@resultity/store'
import t from 'tap'
import { imagesAnswer } from '../src/image-answer.ts'
import { toImagePlan } from '../src/image-plan.ts'
import { editEventSchema, generationEventSchema } from '../src/image-schema.ts'
import { imageView, PARTIAL, type PartialEntry, STEP } from '../src/image-view.ts'
import { servedPainter } from './support/painter.ts'

const model = await servedPainter(t)
const plan = await toImagePlan(
  { prompt: 'a', seed: 1, n: 2, size: '1024x1024', steps: 1 },
  { ...model, config: { ...model.config, pictureSize: 1024 } },
  { kind: 'generation', strength: 1 },
  {}
)
const entry: PartialEntry = {
  index: 1,
  partial: 0,
  b64_json: 'AA==',
  created_at: 5,
  size: '1024x1024',
  quality: null,
  output_format: 'png'
}

t.test('a log becomes the events of its route', async t => {
  const [generation, edit] = [imageView('image_generation'), imageView('image_edit')]
  t.strictSame(generation.render({ number: 1, type: STEP, data: { index: 0, step: 1, steps: 2 } }), [])
  const [shown] = generation.render({ number: 1, type: PARTIAL, data: entry })
  t.match(generationEventSchema.parse(shown), { size: '1024x1024', quality: 'auto', partial_image_index: 0, index: 1 })
  const [changed] = edit.render({ number: 1, type: PARTIAL, data: { ...entry, size: '64x64' } })
  t.match(editEventSchema.parse(changed), { type: 'image_edit.partial_image', size: 'auto' })
})

t.test('every picture has an event, and they count what the request did', async t => {
  const data = [{ b64_json: 'AA==' }, { b64_json: 'AQ==' }]
  const body = imagesAnswer(plan, data, { job: { createdAtMs: 1999 }, quality: 'hd' })
  t.match(body, { created: 1, size: '1024x1024', quality: 'high', usage: { input_tokens: 1, output_tokens: 64 } })
  const job = { id: 'req_1', createdAtMs: 1999, endedAtMs: 5000, result: { status: 200, headers: {}, body } }
  const events = imageView('image_generation').end(job as unknown as Job)
  const parsed = events.map(event => generationEventSchema.parse(event))
  t.strictSame(
    parsed.map(event => event.type === 'image_generation.completed' && [event.index, event.b64_json, event.created_at]),
    [
      [0, 'AA==', 5],
      [1, 'AQ==', 5]
    ]
  )
  const total = parsed.reduce((sum, event) => sum + ('usage' in event ? event.usage.total_tokens : 0), 0)
  t.equal(total, body.usage.total_tokens)
})
