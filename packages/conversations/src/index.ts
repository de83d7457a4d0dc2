export { addConversationRoutes, type ConversationRouteComponents } from './conversation-routes.ts'
export { ConversationService } from './conversation-service.ts'
export { ConversationStore } from './conversation-store.ts'
