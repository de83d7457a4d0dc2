export * from './chaos-mesh.ts'
export * from './chaos-plan.ts'
export * from './chaos-report.ts'
export * from './chaos-run.ts'
