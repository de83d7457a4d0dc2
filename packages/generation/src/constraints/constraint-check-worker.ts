import { checkConstraint, Grammar, type GrammarState, type RelaxedKeyword } from '@resultity/grammar'
import { MeshError, serveTasks } from '@resultity/interface'
import type { ConstraintTask } from './constraint-messages.ts'

type Check = Extract<ConstraintTask, { type: 'check' }>
type Answer = Extract<ConstraintTask, { type: 'answer' }>

function check({ constraint, places }: Check, progress: (where: string) => void): readonly RelaxedKeyword[] {
  let where = places.schema
  const come = (place: string): string => {
    where = place
    progress(place)
    return place
  }
  try {
    return checkConstraint(constraint, {
      get schema() {
        return come(places.schema)
      },
      parameters: index => come(places.parameters[index] ?? places.schema),
      strictSchema: places.strict?.schema === true,
      strictParameters: index => places.strict?.functions.includes(index) === true
    })
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
  result: task.type === 'check' ? check(task, progress) : isAllowed(task)
}))
