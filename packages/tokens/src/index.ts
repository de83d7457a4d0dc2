export { addTokenRoutes, type TokenRouteComponents } from './token-routes.ts'
