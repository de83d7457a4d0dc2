export { expectedBytes, placesOf } from './answer-size.ts'
export type { JobProgress } from './attempt-progress.ts'
export { BATCHES_PATH, BatchEndpoint } from './batches/batch-endpoint.ts'
export { batchRequestSchema, type PreparedLine, prepareLine, readBatchRequest } from './batches/batch-line.ts'
export { type BatchCounts, countLines } from './batches/batch-progress.ts'
export { ChildJobs, endChildrenWithParents, toMeshError } from './child-jobs.ts'
export type { ByteRange, ContentStore, StoredContent } from './files/content-store.ts'
export { DiskSpace } from './files/disk-space.ts'
export { FileContentStore } from './files/file-content-store.ts'
export { FileService, type FileServiceInit, type ReceivedFile } from './files/file-service.ts'
export { jobBodyOf } from './job-body.ts'
export type { Following } from './job-followers.ts'
export {
  BEGUN,
  type Begun,
  begunOf,
  type CompleteOptions,
  type JobAnswer,
  type JobContext,
  type JobKind,
  JobKinds,
  type JobLog,
  type PreparedJob,
  type StreamView
} from './job-kind.ts'
export { DEFAULT_JOB_LIMITS, type JobLimits } from './job-limits.ts'
export { JobRuntime } from './job-runtime.ts'
export { ModelPlaces } from './model-places.ts'
export { TimeSlice } from './time-slice.ts'
