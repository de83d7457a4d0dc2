import { serveTasks } from '@resultity/interface'
import { OwnSums, type SummedState, type SummedStep } from './step-sums.ts'
import type { SumsTask } from './sums-thread.ts'

serveTasks((task: SumsTask) => {
  const result = summed(task)
  const { state, input } = result
  // scaled latents are arrays of their own, and so is what a step looks back at, which `clean` may be
  const arrays = [state.latents, ...state.carried, ...(input === undefined ? [] : [input])]
  return { result, transfer: [...new Set(arrays.map(({ buffer }) => buffer as ArrayBuffer))] }
})

function summed({ numbers, state, predictions }: SumsTask): SummedState | SummedStep {
  const sums = new OwnSums(numbers)
  if (state === undefined) return sums.begin()
  return predictions === undefined ? sums.resume(state) : sums.next(state, predictions)
}
