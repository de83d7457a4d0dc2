export * from './grammar.ts'
export { SCHEMA_CHARACTERS_MAX } from './schema-keywords.ts'
export * from './tool-call-text.ts'
