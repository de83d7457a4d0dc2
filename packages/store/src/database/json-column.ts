declare const contentOf: unique symbol

/**
 * The JSON text of a `T`, as a column holds it. Text on both databases: PostgreSQL's `jsonb` refuses the character
 * U+0000, which a client's prompt may hold, and forgets the order of an object's fields.
 */
export type JsonColumn<T> = string & { readonly [contentOf]?: T }

export function encodeJson<T>(value: T): JsonColumn<T> {
  return JSON.stringify(value)
}

export function decodeJson<T>(text: JsonColumn<T>): T {
  return JSON.parse(text)
}
