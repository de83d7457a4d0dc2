export { caseAt } from './corpus.ts'
export type { HostileCase } from './hostile-case.ts'
