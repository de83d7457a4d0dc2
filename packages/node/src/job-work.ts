import type { Scheduler, WorkOptions } from '@resultity/interface'
import type { ReadyWhole } from './loaded-model.ts'

export interface JobWorkOptions extends WorkOptions {
  readonly scheduler: Scheduler
  /** Tells the coordinator of work that is not done yet. Resolves when there is room for more. */
  tell(chunk: Uint8Array): Promise<void>
}

/** Work whose body was read, for a model to do. @returns its result: UTF-8 JSON of most */
export type JobWork = (ready: ReadyWhole, options: JobWorkOptions) => Promise<Uint8Array>

/** Reads the body of a job, UTF-8 JSON of most. @throws MeshError `protocol_violation` */
export type JobEndpoint = (body: Uint8Array) => JobWork
