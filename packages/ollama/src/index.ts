export { EmbedEndpoint, type EmbedEndpointComponents, embedDialect, embeddingsDialect } from './embed-endpoint.ts'
export { addOllamaRoutes, type OllamaRouteComponents } from './model-routes.ts'
export { chatDialect, generateDialect } from './text-dialect.ts'
export { TextEndpoint, type TextEndpointComponents } from './text-endpoint.ts'
