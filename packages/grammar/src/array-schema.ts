import type { Expression } from './expression.ts'
import { containingArray, distinctArray } from './json-array.ts'
import { COUNTED_MAX } from './limits.ts'
import { CLOSING, type Part, type Schema } from './schema-document.ts'
import { countsOf, flagOf, placeOf, rangeOf, type SchemaScope } from './schema-scope.ts'

/** What one schema says of the items of an array. */
interface ItemRules {
  readonly prefix: readonly Part[]
  readonly rest: Part
}

/** The arrays that all of `parts` allow. */
export function arrayExpression(scope: SchemaScope, parts: readonly Part<Schema>[], depth: number): Expression {
  const { json, document } = scope
  const rules = parts.map(part => itemRules(scope, part, parts.length === 1))
  const { min, max } = rangeOf(document, parts, 'minItems', 'maxItems')
  const length = Math.max(0, ...rules.map(({ prefix }) => prefix.length))
  const prefix: Expression[] = []
  let most = max
  for (let index = 0; index < length && index < max; index++) {
    const item = scope.at(
      rules.map(rule => rule.prefix[index] ?? rule.rest),
      depth + 1
    )
    if (item === json.expressions.dead) {
      most = index
      break
    }
    prefix.push(item)
  }
  const restParts = rules.map(({ rest }) => rest)
  const rest = scope.at(restParts, depth + 1)
  const open = rest !== json.expressions.dead
  const items = { prefix, rest: open ? rest : undefined, min, max: open ? most : Math.min(most, length) }
  if (items.min > items.max) return json.expressions.dead
  const contained = parts.filter(({ schema }) => schema.contains !== undefined && schema.minContains !== 0)
  if (parts.some(part => flagOf(document, part, 'uniqueItems')) && items.max > 1) {
    const distinct = distinctItems(scope, parts, restParts, items)
    if (distinct !== undefined) {
      if (contained.length > 0) relax(scope, parts, 'contains', 'cannot be held to beside uniqueItems')
      return distinct
    }
  }
  return contained.length === 0 ? json.array(items) : containing(scope, contained, restParts, items, depth)
}

function itemRules({ document }: SchemaScope, { schema, path }: Part<Schema>, alone: boolean): ItemRules {
  const older = Array.isArray(schema.items)
  const prefix = older ? schema.items : (schema.prefixItems ?? [])
  const prefixName = older ? 'items' : 'prefixItems'
  if (!Array.isArray(prefix)) throw document.refusal(`${path}/prefixItems`, 'is no list of schemas')
  let restName = older ? 'additionalItems' : 'items'
  if (schema.unevaluatedItems !== undefined) {
    if ((alone || schema[CLOSING]) && schema[restName] === undefined && schema.contains === undefined)
      restName = 'unevaluatedItems'
    else if (schema[restName] === undefined)
      document.relax(`${path}/unevaluatedItems`, 'cannot be held to beside others')
  }
  if (schema.maxContains !== undefined && schema.contains !== undefined) {
    document.relax(`${path}/maxContains`, 'is a keyword that cannot be held to')
  }
  return {
    prefix: prefix.map((item, index) => ({ schema: item, path: `${path}/${prefixName}/${index}` })),
    rest: { schema: schema[restName] ?? true, path: `${path}/${restName}` }
  }
}

interface Items {
  readonly prefix: readonly Expression[]
  readonly rest: Expression | undefined
  readonly min: number
  readonly max: number
}

/** Items of which no two are equal: where they are of a few values. */
function distinctItems(
  scope: SchemaScope,
  parts: readonly Part<Schema>[],
  restParts: readonly Part[],
  { prefix, min, max }: Items
): Expression | undefined {
  const values = prefix.length === 0 ? scope.listed(restParts) : undefined
  const counts = values && values.length * Math.max(1, Math.min(values.length, Number.isFinite(max) ? max : min))
  if (values === undefined || counts === undefined || counts > COUNTED_MAX) {
    relax(scope, parts, 'uniqueItems', 'cannot be held to, but for items of a few listed values')
    return undefined
  }
  return min > values.length ? scope.json.expressions.dead : distinctArray(scope.json, values, min, max)
}

function containing(
  scope: SchemaScope,
  contained: readonly Part<Schema>[],
  restParts: readonly Part[],
  items: Items,
  depth: number
): Expression {
  const { json, document } = scope
  const [only] = contained
  const { prefix, rest, min, max } = items
  const least = Math.max(1, ...countsOf(document, contained, 'minContains'))
  const counted = Number.isFinite(max) ? max : min
  if (
    only === undefined ||
    contained.length > 1 ||
    prefix.length > 0 ||
    rest === undefined ||
    Math.max(1, counted) * least > COUNTED_MAX
  ) {
    relax(scope, contained, 'contains', 'cannot be held to beside what else is said of the items')
    return json.array(items)
  }
  const match = scope.at([...restParts, { schema: only.schema.contains, path: `${only.path}/contains` }], depth + 1)
  return containingArray(json, { item: rest, match, least, min, max })
}

function relax({ document }: SchemaScope, parts: readonly Part<Schema>[], keyword: string, problem: string): void {
  document.relax(placeOf(parts, keyword), problem)
}
