import {
  type ConstraintPlaces,
  checkConstraint,
  compileBudget,
  Grammar,
  type GrammarState,
  type RelaxedKeyword,
  type WorkBudget
} from '@resultity/grammar'
import { MeshError, serveTasks } from '@resultity/interface'
import type { ConstraintCheck, ConstraintTask } from './constraint-messages.ts'

type Answer = Extract<ConstraintTask, { type: 'answer' }>

type Progress = (where: string) => void

/** All constraints of a request are compiled with one budget, so that many cost no more than one may. */
function checkAll(checks: readonly ConstraintCheck[], progress: Progress): readonly (readonly RelaxedKeyword[])[] {
  const budget = compileBudget()
  return checks.map(one => check(one, budget, progress))
}

function check(
  { constraint, places }: ConstraintCheck,
  budget: WorkBudget,
  progress: Progress
): readonly RelaxedKeyword[] {
  let where = places.schema
  const come = (place: string): string => {
    where = place
    progress(place)
    return place
  }
  try {
    const named: ConstraintPlaces = {
      get schema() {
        return come(places.schema)
      },
      parameters: index => come(places.parameters[index] ?? places.schema),
      strictSchema: places.strict?.schema === true,
      strictParameters: index => places.strict?.functions.includes(index) === true
    }
    return checkConstraint(constraint, named, budget)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    // the schema is too deep for the stack
    const message = `${where} is too deep to be held to`
    throw new MeshError('invalid_request', message, {
      hint: 'Send a flatter schema.',
      details: { param: where },
      cause
    })
  }
}

/** @throws MeshError `invalid_request` for a text that is too deep for the stack: only an answer shows that */
function isAllowed(task: Answer): boolean {
  try {
    return isIn(task)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new MeshError('invalid_request', 'the schema of the answer is too deep to compare an answer with', {
      hint: 'Send a flatter schema, and shorter names.',
      cause
    })
  }
}

function isIn({ constraint, text, extent }: Answer): boolean {
  const grammar = new Grammar(constraint)
  if (extent === 'whole') return grammar.accepts(text)
  let state: GrammarState | undefined = grammar.start
  for (const byte of new TextEncoder().encode(text)) {
    state = grammar.after(state, byte)
    if (state === undefined) return false
  }
  return true
}

serveTasks((task: ConstraintTask, progress) => ({
  result: task.type === 'check' ? checkAll(task.checks, progress) : isAllowed(task)
}))
