import { parentPort } from 'node:worker_threads'
import type { ConstraintNotice, ConstraintRequest } from './constraint-messages.ts'
import { ConstraintStates } from './constraint-states.ts'

const states = new ConstraintStates()

parentPort?.on('message', (message: ConstraintNotice | ConstraintRequest) => {
  if (message.type !== 'open' && message.type !== 'step') return states.note(message)
  const reply = states.answer(message)
  const masks = reply.type === 'state' && reply.allowed !== undefined ? [reply.allowed.buffer] : []
  parentPort?.postMessage(reply, masks)
})
