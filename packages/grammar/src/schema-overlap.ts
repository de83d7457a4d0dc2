type Schema = Readonly<Record<string, unknown>>

/**
 * Whether a value might fit two of these schemas. False only where it is plain to see that none does: their types
 * differ, or they list other values, or a property that both require has other values in each.
 */
export function mayOverlap(schemas: readonly unknown[], resolve: (ref: unknown) => unknown): boolean {
  const followed = schemas.map(schema => follow(schema, resolve))
  return followed.some((one, index) => followed.slice(index + 1).some(other => !areApart(one, other, resolve)))
}

function follow(schema: unknown, resolve: (ref: unknown) => unknown): Schema | undefined {
  let target = schema
  // a chain of references longer than this is a circle, which is refused elsewhere
  for (let steps = 0; steps < 16; steps++) {
    if (typeof target !== 'object' || target === null || Array.isArray(target)) return undefined
    if (!('$ref' in target)) return { ...target }
    target = resolve(target.$ref)
  }
  return undefined
}

function areApart(one: Schema | undefined, other: Schema | undefined, resolve: (ref: unknown) => unknown): boolean {
  if (one === undefined || other === undefined) return false
  const [types, otherTypes] = [typesOf(one), typesOf(other)]
  if (types !== undefined && otherTypes !== undefined && !types.some(type => otherTypes.includes(type))) return true
  const [values, otherValues] = [valuesOf(one), valuesOf(other)]
  if (values !== undefined && otherValues !== undefined) return !values.some(value => otherValues.includes(value))
  const shared = requiredOf(one).filter(name => requiredOf(other).includes(name))
  return shared.some(name => {
    const [mine, theirs] = [propertyOf(one, name), propertyOf(other, name)]
    return areApart(follow(mine, resolve), follow(theirs, resolve), resolve)
  })
}

/** An integer is a number too. */
function typesOf({ type, nullable }: Schema): string[] | undefined {
  if (type === undefined || nullable === true) return undefined
  const names: readonly unknown[] = Array.isArray(type) ? type : [type]
  return names.map(name => (name === 'integer' ? 'number' : String(name)))
}

function valuesOf(schema: Schema): string[] | undefined {
  if ('const' in schema) return [JSON.stringify(schema.const)]
  return Array.isArray(schema.enum) ? schema.enum.map(value => JSON.stringify(value)) : undefined
}

function requiredOf({ required, type }: Schema): readonly unknown[] {
  // without a type, a value that is no object fits as well
  return Array.isArray(required) && type === 'object' ? required : []
}

function propertyOf({ properties }: Schema, name: unknown): unknown {
  if (typeof properties !== 'object' || properties === null || typeof name !== 'string') return undefined
  return Object.entries(properties).find(([key]) => key === name)?.[1]
}
