export { type ApiAnswer, type ApiRoute, ApiRoutes, addRoute, collectRoutes } from './api-route.ts'
export { BinaryStream } from './binary-stream.ts'
export { inflateBodies } from './body-encoding.ts'
export { answerBadPath, answerBrokenRequest, answerExpectation, fromFastify, newRequestId } from './client-errors.ts'
export { ConnectionLimiter, connectionsWithin, senderOf } from './connection-limits.ts'
export type { ErrorFormat } from './error-format.ts'
export { type ErrorReply, errorEvent, errorReply, jobErrorReply, keptErrorReply } from './error-reply.ts'
export { EventStream } from './event-stream.ts'
export { DEFAULT_HTTP_LIMITS, type HttpLimits } from './http-limits.ts'
export { parseJsonBodies } from './json-body.ts'
export { checkJsonShape } from './json-shape.ts'
export { LineStream } from './line-stream.ts'
export {
  listOf,
  type PageWanted,
  pagedListOf,
  pageOfAll,
  textPagedListOf,
  toPage,
  toTextPage,
  unknownCursor
} from './list.ts'
export { openApiDocument } from './openapi.ts'
export { parseInput } from './parse-body.ts'
export { parseJson } from './parse-json.ts'
export { type RateLimitState, rateLimitHeaders } from './rate-limit-headers.ts'
export { type AdmittedRequest, RequestLimiter } from './request-limiter.ts'
export { asyncQuerySchema, idempotencyOf, wantsAsync } from './request-options.ts'
export { type ById, deletedOf, Resource, type ResourceInit, type ResourceRoute } from './resource.ts'
export { bodyInSubcloud, inSubcloud, subcloudOf, withoutSubcloud } from './subcloud-path.ts'
export type { TextStreamInit } from './text-stream.ts'
