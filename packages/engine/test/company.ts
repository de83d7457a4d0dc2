import type { MeshError } from '@resultity/interface'
import { Binding, type RunOptions } from '@resultity/onnx-runtime'
import type { Stage, StageSession } from '../src/port.ts'

type Done = (error: MeshError | undefined) => void

export interface Watch extends Disposable {
  /** Runs that have begun. */
  readonly count: number
}

/**
 * Sees every run of the C API as it begins, until disposed.
 *
 * @param look called with the number of runs before; an error that it returns is what the run ends with, without running
 */
export function watchRuns(look: (before: number) => MeshError | undefined = () => undefined): Watch {
  const { run } = Binding.prototype
  let count = 0
  Binding.prototype.run = function watched(this: Binding, options: RunOptions, done: Done): void {
    const error = look(count++)
    if (error === undefined) run.call(this, options, done)
    else setImmediate(() => done(error))
  }
  return {
    get count() {
      return count
    },
    [Symbol.dispose]() {
      Binding.prototype.run = run
    }
  }
}

/**
 * Runs steps that all wait for one chunk, and so are ready together. Outputs are copied.
 *
 * @param busy a session of the same stage that runs the chunk
 */
export async function stepTogether(
  busy: StageSession,
  stage: Stage,
  steps: readonly (() => Promise<Float32Array>)[]
): Promise<PromiseSettledResult<Float32Array>[]> {
  const chunk = stage.first ? Uint32Array.of(8, 9, 10) : new Float32Array(3 * stage.hiddenSize).fill(0.5)
  const ahead = busy.run(chunk)
  const results = Promise.allSettled(steps.map(async step => Float32Array.from(await step())))
  await ahead
  const settled = await results
  busy.truncate(0)
  return settled
}

/** What a step gave that cannot have failed. */
export function outputOf(result: PromiseSettledResult<Float32Array> | undefined): Float32Array {
  if (result?.status === 'fulfilled') return result.value
  throw result?.reason ?? new Error('there is no such step')
}
