export { chatStreamErrors } from './chat-stream.ts'
export { type ApiCheck, checkFetches } from './checked-fetch.ts'
export { openAiErrors } from './openai.ts'
export { type ApiDocument, OwnDescription } from './own-description.ts'
