export * from './coordinator.ts'
export { type OfflineKeyDesk, openKeyDesk } from './doors/keys/open-key-desk.ts'
export type { ModelProgress } from './load-model.ts'
export { type CoordinatorLimits, DEFAULT_LIMITS } from './settings.ts'
