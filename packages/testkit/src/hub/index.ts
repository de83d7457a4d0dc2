export * from './hub-run.ts'
export { EIGHT_GB, TINY } from './shapes.ts'
