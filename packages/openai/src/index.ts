export { type AnswerEndpointComponents, answerJob } from './answer/answer-job.ts'
export type { AnswerMetrics } from './answer/answer-metrics.ts'
export { CHOICE } from './answer/answer-run.ts'
export { IGNORED_FIELDS } from './answer/ignored-fields.ts'
export { IGNORED_TOOLS } from './answer/ignored-tools.ts'
export { metadataSchema } from './answer/metadata.ts'
export { modelName } from './answer/model-name.ts'
export { canReason, reasoningFields } from './answer/reasoning-fields.ts'
export { requirePlace } from './answer/require-place.ts'
export { randomSeed, seedAfter, seedSchema } from './answer/seed.ts'
export { sumUsage, toTokenUsage } from './answer/token-usage.ts'
export { addBatchRoutes, type BatchRouteComponents } from './batches/batch-routes.ts'
export { INLINE_BATCH_MAX, InlineBatchEndpoint, type InlineBatchInit } from './batches/inline-batch.ts'
export { fingerprint, routeHeader } from './chat/chat-answer.ts'
export { ChatEndpoint } from './chat/chat-endpoint.ts'
export { type ChatPiece, chatPieceSchema, wholePiece } from './chat/chat-piece.ts'
export { promptOf, promptTextOf } from './chat/chat-prompt.ts'
export { withSeed } from './chat/chat-request.ts'
export { chatRequestSchema, meshFields, steeringFields } from './chat/chat-schema.ts'
export { addStoredChatRoutes, type StoredChatRouteComponents } from './chat/stored-chat-routes.ts'
export { templateFields, templateUseOf } from './chat/template-fields.ts'
export { contentPartSchema, partText, spokenText } from './chat/text-parts.ts'
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
export { addFileRoutes, type FileRouteComponents } from './files/file-routes.ts'
export { isForm, readForm, withForms } from './files/form-reader.ts'
export { addJobRoute, type HttpEndpoint } from './requests/job-routes.ts'
export { addRequestRoutes, type RequestRouteComponents } from './requests/request-routes.ts'
export type { ResponseConversations } from './responses/response-conversation.ts'
export { ResponseEndpoint } from './responses/response-endpoint.ts'
export { itemPrefix } from './responses/response-ids.ts'
export { requireServed } from './responses/response-input.ts'
export { toItemView } from './responses/response-item-view.ts'
export { addResponseRoutes, type ResponseRouteComponents } from './responses/response-routes.ts'
export { type ResponseItem, responseItemSchema } from './responses/response-schema.ts'
export { toolFields } from './tools/tool-schema.ts'
export { toolUseOf } from './tools/tool-use.ts'
