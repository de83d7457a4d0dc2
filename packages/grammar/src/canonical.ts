import type { WorkBudget } from './work-budget.ts'

/** A JSON value as a text that equal values share: members are sorted, and 1.0 is 1. */
export function canonical(value: unknown, budget: WorkBudget): string {
  if (typeof value !== 'object' || value === null) {
    const text = JSON.stringify(Object.is(value, -0) ? 0 : value) ?? 'null'
    budget.spend(1 + (text.length >> 4))
    return text
  }
  if (Array.isArray(value)) return `[${value.map(item => canonical(item, budget)).join()}]`
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  budget.spend(1 + members.length)
  return `{${members.map(([name, inner]) => `${JSON.stringify(name)}:${canonical(inner, budget)}`).join()}}`
}
