export { type AnswerEndpointComponents, answerJob } from './answer/answer-job.ts'
export type { AnswerMetrics } from './answer/answer-metrics.ts'
export { CHOICE } from './answer/answer-run.ts'
export { endingFields } from './answer/ending-fields.ts'
export { IGNORED_FIELDS } from './answer/ignored-fields.ts'
export { IGNORED_TOOLS } from './answer/ignored-tools.ts'
export { metadataSchema } from './answer/metadata.ts'
export { modelName } from './answer/model-name.ts'
export { canReason, reasoningFields } from './answer/reasoning-fields.ts'
export { RELAXED_HEADER } from './answer/relaxed-header.ts'
export { requirePlace } from './answer/require-place.ts'
export { guidedFields } from './answer/response-format.ts'
export { samplingFields } from './answer/sampling-fields.ts'
export { randomSeed, seedAfter, seedSchema } from './answer/seed.ts'
export { sumUsage, toTokenUsage } from './answer/token-usage.ts'
export { addBatchRoutes, type BatchRouteComponents } from './batches/batch-routes.ts'
export { INLINE_BATCH_MAX, InlineBatchEndpoint, type InlineBatchInit } from './batches/inline-batch.ts'
export { fingerprint, routeHeader } from './chat/chat-answer.ts'
export { ChatEndpoint } from './chat/chat-endpoint.ts'
export { type ChatPicture, type ChatPictureGrid, type ChatPictures, refuseAddress } from './chat/chat-pictures.ts'
export { type ChatPiece, chatPieceSchema, type ToolDelta, type TopLogprob, wholePiece } from './chat/chat-piece.ts'
export { promptOf, promptTextOf } from './chat/chat-prompt.ts'
export { withSeed } from './chat/chat-request.ts'
export { type ChatRequest, chatRequestSchema, meshFields, steeringFields, streamOptions } from './chat/chat-schema.ts'
export { addStoredChatRoutes, type StoredChatRouteComponents } from './chat/stored-chat-routes.ts'
export { templateFields, templateUseOf } from './chat/template-fields.ts'
export { type ContentPart, contentPartSchema, partText, spokenText } from './chat/text-parts.ts'
export { CompletionEndpoint } from './completions/completion-endpoint.ts'
export { type CompletionLogprobs, completionRequestSchema } from './completions/completion-schema.ts'
export {
  EmbeddingsEndpoint,
  type EmbeddingsEndpointComponents,
  type InputReading,
  withTruncation
} from './embeddings/embeddings-endpoint.ts'
export { embeddingsRequestSchema } from './embeddings/embeddings-schema.ts'
export { encodedAs, InputList, truncationOf } from './embeddings/input-list.ts'
export {
  type EnsembleReport,
  type EnsembleRequest,
  ensembleRequestSchema,
  type MemberReport
} from './ensembles/ensemble-schema.ts'
export { refuseUnserved } from './fields/refuse-unserved.ts'
export { type FieldEndpoint, UNSERVED_FIELDS } from './fields/request-fields.ts'
export { addFileRoutes, type FileRouteComponents } from './files/file-routes.ts'
export type { FormFields } from './files/form-fields.ts'
export { addFormJobRoutes, type FormJobComponents, type JobForm, removeFilesWithRequests } from './files/form-jobs.ts'
export { addJobRoute, type HttpEndpoint, type JobRouteComponents, sendStream } from './requests/job-routes.ts'
export { addRequestRoutes, type RequestRouteComponents } from './requests/request-routes.ts'
export { toolFields } from './tools/tool-schema.ts'
export { toolUseOf } from './tools/tool-use.ts'
