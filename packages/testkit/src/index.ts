export * from './resident-memory.ts'
export * from './shaper.ts'
export * from './swarm.ts'
export * from './swarm-test.ts'
