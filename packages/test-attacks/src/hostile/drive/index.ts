export { missedAims, missedTimes } from './aims.ts'
export { readCases, writeCases } from './case-file.ts'
export { type HostileReport, type HostileRunInit, runHostile } from './hostile-run.ts'
