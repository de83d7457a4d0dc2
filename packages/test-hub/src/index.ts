export * from './hub-server.ts'
export * from './random-checkpoint.ts'
export * from './served-file.ts'
