export * from './corpus/index.ts'
export * from './drive/index.ts'
