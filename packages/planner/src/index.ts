export * from './cut.ts'
export * from './plan.ts'
export * from './predict.ts'
export * from './shape.ts'
