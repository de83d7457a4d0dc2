import type { ErrorFormat } from '@resultity/api-kit'
import { ollamaErrorSchema } from './text-schema.ts'

/** Errors as Ollama's clients read them: a text. Our own code and the field stand beside it. */
export const ollamaErrors: ErrorFormat = {
  schema: ollamaErrorSchema,
  write: ({ body: { error } }) => ({ error: error.message, code: error.code, param: error.param })
}
