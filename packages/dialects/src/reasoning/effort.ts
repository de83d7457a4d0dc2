import { REASONING_EFFORTS, type ReasoningEffort } from '@resultity/interface'

/** How a chat template can be told how much to reason, found out by trying it. */
export interface ReasoningControls {
  /** A variable that turns reasoning on and off. */
  readonly thinkingSwitch: string | undefined
  /** Values of its `reasoning_effort` that it knows; none where it reads no such variable. */
  readonly efforts: ReadonlySet<string>
}

export interface EffortUse {
  /** Variables for the template. */
  readonly variables: Readonly<Record<string, unknown>>
  /** The template cannot be told. */
  readonly ignored: boolean
}

/**
 * Writes an effort as variables of a template. An effort that the template does not know becomes the nearest one that it knows.
 *
 * @param reasons whether the model reasons at all: one that does not already does what `none` asks for
 */
export function effortVariables(
  effort: ReasoningEffort,
  { thinkingSwitch, efforts }: ReasoningControls,
  reasons: boolean
): EffortUse {
  const switched = thinkingSwitch === undefined ? {} : { [thinkingSwitch]: effort !== 'none' }
  const known = REASONING_EFFORTS.filter(one => efforts.has(one))
  if (effort === 'none' && thinkingSwitch !== undefined && !efforts.has('none')) {
    return { variables: switched, ignored: false }
  }
  const nearest = nearestOf(effort, effort === 'none' ? known : known.filter(one => one !== 'none'))
  const variables = nearest === undefined ? switched : { ...switched, reasoning_effort: nearest }
  if (effort === 'none') return { variables, ignored: reasons && nearest !== 'none' }
  return { variables, ignored: Object.keys(variables).length === 0 }
}

/** The nearest of them; of two that are equally near, the lesser. */
function nearestOf(effort: ReasoningEffort, known: readonly ReasoningEffort[]): ReasoningEffort | undefined {
  const distance = (one: ReasoningEffort): number =>
    Math.abs(REASONING_EFFORTS.indexOf(one) - REASONING_EFFORTS.indexOf(effort))
  return known.toSorted((a, b) => distance(a) - distance(b))[0]
}
