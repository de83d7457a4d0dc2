export { MessageEndpoint, type MessageEndpointComponents } from './message-endpoint.ts'
export { addMessageRoutes, type MessageRouteComponents } from './message-routes.ts'
