import { MeshError } from '@resultity/interface'

export function idempotencyConflict(key: string): MeshError {
  return new MeshError('idempotency_conflict', `the Idempotency-Key "${key}" came before, with another body`, {
    hint: 'send what you sent before, or choose a new key for a new request'
  })
}

export function duplicateId(id: string): MeshError {
  return new MeshError('invalid_request', `there is a job ${id} already`, {
    hint: 'give every job an id of its own',
    details: { param: 'id' }
  })
}
