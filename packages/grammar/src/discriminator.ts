import { isSchema, type Part, type Schema, type SchemaDocument, SILENT } from './schema-document.ts'

/**
 * The options of a `oneOf` with the `discriminator` of OpenAPI: each with the names that stand for it, by the mapping or its
 * own, as the values of the property that tells them apart. Undefined without a discriminator that names one for each.
 */
export function discriminated(
  document: SchemaDocument,
  schema: Schema,
  options: readonly Part[]
): readonly Part[] | undefined {
  const { discriminator } = schema
  if (!isSchema(discriminator) || typeof discriminator.propertyName !== 'string') return undefined
  const { propertyName, mapping } = discriminator
  const mapped = isSchema(mapping) ? Object.entries(mapping) : []
  document.budget.spend(options.length * (1 + mapped.length))
  const names = options.map(option => namesOf(option, mapped))
  if (names.some(each => each.length === 0)) return undefined
  return document.derived(schema, 'discriminated', () =>
    options.map((option, index) => {
      const tag: Schema = {
        type: 'object',
        properties: { [propertyName]: { enum: names[index] } },
        required: [propertyName],
        [SILENT]: true
      }
      return { schema: { allOf: [option.schema, tag] }, path: option.path }
    })
  )
}

function namesOf({ schema }: Part, mapped: readonly (readonly [name: string, target: unknown])[]): readonly string[] {
  const ref = isSchema(schema) && typeof schema.$ref === 'string' ? schema.$ref : undefined
  if (ref === undefined) return []
  const own = ref.slice(ref.lastIndexOf('/') + 1)
  const named = mapped.filter(([, target]) => target === ref || target === own).map(([name]) => name)
  return named.length > 0 ? named : [own]
}
