/** Each route is there in every subcloud. */
const SUBCLOUD = /^\/subclouds\/[^/]+(?=\/(?:v[12]|api)\/)/

/** Of the patterns that match a concrete path, the one that names most of it; OpenAPI prefers those too. */
export function matchPath(patterns: Iterable<string>, path: string): string | undefined {
  const own = path.replace(SUBCLOUD, '')
  const matching = [...patterns].filter(pattern => matches(pattern, own))
  return matching.toSorted((a, b) => named(b) - named(a))[0]
}

/** Parts of a pattern that are no variables. */
function named(pattern: string): number {
  return pattern.split('/').filter(part => !part.startsWith('{')).length
}

/** A last variable may hold slashes: ids of models do. */
function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/')
  const parts = path.split('/')
  const open = wanted.at(-1)?.startsWith('{') === true && parts.length > wanted.length
  if (parts.length !== wanted.length && !open) return false
  return wanted.every((part, index) => part === parts[index] || (part.startsWith('{') && parts[index] !== ''))
}
