import { MeshError, serveTasks } from '@resultity/interface'
import type { AudioEncoder } from './audio-encoder.ts'
import { createEncoder } from './create-encoder.ts'
import type { EncodingTask } from './encoding-thread.ts'

/** Of files that are being written. What is begun is ended or closed, so this is met only where many write at once. */
const ENCODERS_MAX = 1024

const encoders = new Map<number, AudioEncoder>()

async function encoderOf({ id, format, rate, begins }: EncodingTask): Promise<AudioEncoder> {
  const known = encoders.get(id)
  if (known !== undefined) return known
  if (!begins) throw new MeshError('unavailable', 'the thread that wrote this sound has ended', { hint: 'Try again.' })
  if (encoders.size >= ENCODERS_MAX) {
    throw new MeshError('resource_exhausted', `${ENCODERS_MAX} sounds are written already`, {
      hint: 'Try again later.'
    })
  }
  const encoder = await createEncoder(format, rate)
  encoders.set(id, encoder)
  return encoder
}

serveTasks(async (task: EncodingTask) => {
  const { id, samples, ends } = task
  if (task.closes) {
    encoders.delete(id)
    return { result: new Uint8Array() }
  }
  const encoder = await encoderOf(task)
  // also when its end fails: nobody closes what was ended
  if (ends) encoders.delete(id)
  const parts = [
    samples === undefined ? new Uint8Array() : encoder.encode(samples),
    ends ? encoder.finish() : new Uint8Array()
  ]
  // bytes of its own, so that they can be handed over
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  bytes.set(parts[0] ?? [], 0)
  bytes.set(parts[1] ?? [], parts[0]?.length ?? 0)
  return { result: bytes, transfer: [bytes.buffer] }
})
