import { invalidRequest } from '@resultity/interface'

/** The fields of a form that are more than texts. */
export interface FormFields {
  /** May come several times, by OpenAI's clients with brackets behind their names. */
  readonly lists?: ReadonlySet<string>
  /** Are JSON where they are more than a word. */
  readonly objects: ReadonlySet<string>
  readonly numbers: ReadonlySet<string>
  readonly booleans: ReadonlySet<string>
}

/** Of an object in pieces, as clients write it: `mesh[subcloud]`. */
const MEMBER = /^(\w+)\[(\w+)\]$/

/**
 * The fields of a form as a body of JSON would have them. What is no number stays as it is, for the schema to name.
 *
 * @throws MeshError `invalid_request` for a field that should be JSON and is not
 */
export function bodyOfForm(
  fields: readonly (readonly [name: string, value: unknown])[],
  kinds: FormFields
): Record<string, unknown> {
  const body = new Map<string, unknown>()
  for (const [written, value] of fields) {
    const name = written.replace(/\[\]$/, '')
    const [, object, member] = MEMBER.exec(written) ?? []
    if (object !== undefined && member !== undefined && kinds.objects.has(object)) {
      body.set(object, { ...(body.get(object) as object | undefined), [member]: scalarOf(member, value) })
    } else if (kinds.lists?.has(name)) {
      body.set(name, [...((body.get(name) as unknown[] | undefined) ?? []), value])
    } else {
      body.set(name, fieldOf(name, value, kinds))
    }
  }
  return Object.fromEntries(body)
}

function fieldOf(name: string, value: unknown, { objects, numbers, booleans }: FormFields): unknown {
  if (typeof value !== 'string') return value
  if (numbers.has(name)) return numberOf(value)
  if (booleans.has(name)) return booleanOf(value)
  return objects.has(name) && value.trimStart().startsWith('{') ? jsonOf(name, value) : value
}

/** A member of an object that came by itself: its name does not tell what it is. */
function scalarOf(name: string, value: unknown): unknown {
  return /_ms$|^threshold$|^stages$/.test(name) && typeof value === 'string' ? numberOf(value) : value
}

function numberOf(value: string): unknown {
  const number = Number(value)
  // digits that a number does not hold stay as they are, as in JSON
  const inexact = /^-?\d+$/.test(value) && !Number.isSafeInteger(number)
  return value.trim() === '' || Number.isNaN(number) || inexact ? value : number
}

function booleanOf(value: string): unknown {
  if (/^(true|1)$/i.test(value)) return true
  return /^(false|0|)$/i.test(value) ? false : value
}

function jsonOf(name: string, value: string): unknown {
  try {
    return JSON.parse(value)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw invalidRequest(name, `${name} is not JSON: ${why}`)
  }
}
