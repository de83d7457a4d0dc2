/** A value of a template, as far as its size goes. */
interface TemplateValue {
  readonly type: string
  readonly value: unknown
}

/** Deeper values are not written: the library's own recursion ends before. */
const DEPTH_MAX = 500

/** Of lists and objects, which do not change once they are made. */
const known = new WeakMap<object, number>()

/**
 * How many values writing `value` goes through: lists and objects count what is inside them as often as it is. A list that
 * holds another twice, and so on, is small in memory and endless on paper.
 */
export function containerNodes(value: TemplateValue): number {
  return measure(value, 0).nodes
}

/** @returns `stable` false where a namespace is inside, whose values may change */
function measure(value: TemplateValue, depth: number): { nodes: number; stable: boolean } {
  const inner = childrenOf(value.value)
  if (inner === undefined) return { nodes: 1, stable: true }
  const before = known.get(value)
  if (before !== undefined) return { nodes: before, stable: true }
  if (depth > DEPTH_MAX) return { nodes: Number.POSITIVE_INFINITY, stable: false }
  let nodes = 1
  let stable = value.type !== 'NamespaceValue'
  for (const child of inner) {
    const part = measure(child, depth + 1)
    nodes += part.nodes
    stable &&= part.stable
    // endless already
    if (nodes === Number.POSITIVE_INFINITY) break
  }
  if (stable) known.set(value, nodes)
  return { nodes, stable }
}

function childrenOf(value: unknown): Iterable<TemplateValue> | undefined {
  if (Array.isArray(value)) return value
  return value instanceof Map ? value.values() : undefined
}
