import type { MeshError, WorkClass } from '@resultity/interface'
import { resultity } from '#gen'
import {
  checkVersion,
  integer,
  integer64,
  sha256FromWire,
  sha256ToWire,
  text,
  workClassFromWire,
  workClassToWire
} from './field-checks.ts'
import { decodeGenerated, encodeGenerated, type FrameCodec, violation } from './frame-codec.ts'
import { PROTOCOL_VERSION } from './protocols.ts'
import { errorFromWire, errorToWire } from './wire-error.ts'

const wire = resultity.job.v1

const ID_CHARACTERS_MAX = 128
const NAME_CHARACTERS_MAX = 256
const ATTEMPT_MAX = 1_000_000
const DEADLINE_MS_MAX = 24 * 60 * 60 * 1000

/** One try at a whole job on one node. */
export interface JobRequest {
  readonly jobId: string
  readonly attempt: number
  /** Such as /v1/embeddings. */
  readonly endpoint: string
  readonly model: string
  /** As 64 hexadecimal digits; empty for a model that the mesh does not have: one of a server beside the node. */
  readonly manifestSha256: string
  /** As the endpoint has it, already checked by the coordinator: UTF-8 JSON of most. */
  readonly body: Uint8Array
  readonly deadlineMs: number
  /** Default `interactive`. */
  readonly workClass?: WorkClass
}

/** What a job's node reports; `sequence` counts from 0 without a gap. A `result` or an `error` is the last. */
export type JobEvent =
  | { readonly type: 'started'; readonly sequence: number }
  | { readonly type: 'chunk'; readonly sequence: number; readonly chunk: Uint8Array }
  | { readonly type: 'result'; readonly sequence: number; readonly result: Uint8Array }
  | { readonly type: 'error'; readonly sequence: number; readonly error: MeshError }

/** The coordinator's side of {@link JOB_PROTOCOL}. */
export const jobRequestCodec: FrameCodec<JobRequest, JobEvent> = {
  encode(request, headroom) {
    const manifestSha256 = request.manifestSha256 === '' ? null : sha256ToWire(request.manifestSha256)
    const workClass = workClassToWire(request.workClass)
    const wired = { ...request, manifestSha256, workClass, protocolVersion: PROTOCOL_VERSION }
    return encodeGenerated(wire.JobRequest, wired, headroom)
  },
  decode: frame => eventFromWire(decodeGenerated(wire.JobEvent, frame, 'job'))
}

/** The node's side of {@link JOB_PROTOCOL}. */
export const jobEventCodec: FrameCodec<JobEvent, JobRequest> = {
  encode: (event, headroom) => encodeGenerated(wire.JobEvent, eventToWire(event), headroom),
  decode: frame => requestFromWire(decodeGenerated(wire.JobRequest, frame, 'job')),
  fault: error => ({ type: 'error', sequence: 0, error })
}

function requestFromWire(wired: resultity.job.v1.JobRequest.$Properties): JobRequest {
  checkVersion(wired.protocolVersion, 'the job protocol')
  return {
    jobId: text(wired.jobId, 'request.job_id', ID_CHARACTERS_MAX, 1),
    attempt: integer(wired.attempt, 'request.attempt', 0, ATTEMPT_MAX),
    endpoint: text(wired.endpoint, 'request.endpoint', NAME_CHARACTERS_MAX, 1),
    model: text(wired.model, 'request.model', NAME_CHARACTERS_MAX, 1),
    manifestSha256:
      (wired.manifestSha256?.length ?? 0) === 0 ? '' : sha256FromWire(wired.manifestSha256, 'request.manifest_sha256'),
    body: wired.body ?? new Uint8Array(0),
    deadlineMs: integer(wired.deadlineMs, 'request.deadline_ms', 1, DEADLINE_MS_MAX),
    ...workClassFromWire(wired.workClass)
  }
}

function eventToWire(event: JobEvent): resultity.job.v1.JobEvent.$Properties {
  const { sequence } = event
  switch (event.type) {
    case 'started':
      return { sequence, started: {} }
    case 'chunk':
      return { sequence, chunk: event.chunk }
    case 'result':
      return { sequence, result: event.result }
    case 'error':
      return { sequence, error: errorToWire(event.error) }
  }
}

function eventFromWire(wired: resultity.job.v1.JobEvent.$Properties): JobEvent {
  const sequence = integer64(wired.sequence, 'event.sequence')
  if (wired.chunk) return { type: 'chunk', sequence, chunk: wired.chunk }
  if (wired.result) return { type: 'result', sequence, result: wired.result }
  if (wired.error) return { type: 'error', sequence, error: errorFromWire(wired.error) }
  if (wired.started) return { type: 'started', sequence }
  throw violation('a job event has no body that this version knows')
}
