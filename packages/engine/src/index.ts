export { createEngine, type EngineKind } from './create-engine.ts'
export * from './port.ts'
