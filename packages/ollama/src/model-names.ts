import type { ServedModels } from '@resultity/placement'

const LATEST = ':latest'

/** The name that a model is served by, of one that Ollama's clients give: they write `:latest` where no tag is. */
export function servedName(models: ServedModels, name: string | undefined): string | undefined {
  if (name === undefined || !name.endsWith(LATEST) || models.has(name) || models.hasFailed(name)) return name
  return name.slice(0, -LATEST.length)
}
