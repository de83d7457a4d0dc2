import { createHash } from 'node:crypto'
import type { JobAdmission } from '@resultity/access'
import { type AbortOptions, MeshError } from '@resultity/interface'
import { GROUP_LANES, type Job, type JobError, type JobStore } from '@resultity/store'
import { placesOf } from './answer-size.ts'
import { jobBodyOf } from './job-body.ts'
import type { Following } from './job-followers.ts'
import type { PreparedJob } from './job-kind.ts'
import type { JobRuntime } from './job-runtime.ts'

/** A job that another job makes. */
export interface ChildJob {
  /** Its name within the parent; the same in every attempt. */
  readonly name: string
  readonly endpoint: string
  readonly prepared: PreparedJob
  /** How long it waits for a place, if not as long as its parent. */
  readonly waitMs?: number
}

export interface ChildJobsComponents {
  readonly store: JobStore
  readonly admission: Pick<JobAdmission, 'submitPart'>
  /** Asked for late: the runtime knows the endpoints, and some of these make children. */
  runtime(): JobRuntime
}

/**
 * Jobs that are part of another job: hidden, and ended with it.
 *
 * Their ids follow from the parent's, so that an attempt after a crash finds the jobs of an earlier one.
 */
export class ChildJobs {
  readonly #components: ChildJobsComponents

  constructor(components: ChildJobsComponents) {
    this.#components = components
  }

  /**
   * Submits a child once its key has room for one more running job, or returns the existing one.
   * @throws MeshError a temporary error: `unavailable` when stopping, or when the store is; the signal's reason
   */
  async submit(
    parent: Job,
    { name, endpoint, prepared, waitMs }: ChildJob,
    options: { readonly signal?: AbortSignal | undefined } = {}
  ): Promise<Job> {
    const id = childId(parent.id, name)
    const known = await this.#components.store.get(id)
    if (known !== undefined) return known
    const part = { keyId: parent.keyId, endpoint, places: placesOf(prepared) }
    const submit = () =>
      this.#components.runtime().submit(prepared, {
        id,
        endpoint,
        namespace: parent.namespace,
        keyId: parent.keyId,
        class: parent.class,
        detached: jobBodyOf(parent).detached,
        groupId: parent.id,
        customId: name,
        hidden: true,
        admitted: true,
        ...(waitMs === undefined ? {} : { waitMs })
      })
    const { job } = await this.#components.admission.submitPart(part, submit, options)
    return job
  }

  follow(jobId: string): Following {
    return this.#components.runtime().follow(jobId)
  }

  untilEnd(jobId: string, options: AbortOptions = {}): Promise<Job> {
    return this.#components.runtime().untilEnd(jobId, options)
  }

  async cancel(jobId: string): Promise<void> {
    await this.#components.runtime().cancel(jobId)
  }
}

/** Children of a job that ended without needing them end too. @returns stops watching */
export function endChildrenWithParents(
  runtime: JobRuntime,
  store: JobStore,
  onError: (error: MeshError) => void
): () => void {
  return runtime.onEnd(job => {
    if (!GROUP_LANES.includes(job.lane) || job.state === 'succeeded') return
    store.cancelGroup(job.id).catch((error: unknown) => onError(MeshError.from(error)))
  })
}

/** `req_` and 32 digits, as every job has them. */
export function childId(parentId: string, name: string): string {
  const digest = createHash('sha256').update(`${parentId}\n${name}`).digest('hex')
  return `req_${digest.slice(0, 32)}`
}

/** The error that a job's client would have been told, to be told to its parent's. Not tried again: the job was. */
export function toMeshError({ code, message, param }: JobError): MeshError {
  return new MeshError('internal', message, { details: { reason: code, param } })
}
