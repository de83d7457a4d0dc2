export * from './coordinator.ts'
export type { ModelProgress } from './load-model.ts'
export { type CoordinatorLimits, DEFAULT_LIMITS } from './settings.ts'
