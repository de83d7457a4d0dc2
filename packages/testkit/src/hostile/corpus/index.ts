export { caseAt, ideas } from './corpus.ts'
export type { Header, HostileCase, HostileRequest, Manner } from './hostile-case.ts'
