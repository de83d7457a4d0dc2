export { drawFault, type Fault } from './faults.ts'
export { type SimulationInit, type SimulationReport, simulate } from './simulation.ts'
export { Violation } from './violation.ts'
