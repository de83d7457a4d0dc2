export { ModerationEndpoint } from './moderation-endpoint.ts'
export { rerankDialects, scoreDialects } from './pair-dialect.ts'
export { PairEndpoint } from './pair-endpoint.ts'
export type { ScoringComponents } from './scoring-run.ts'
