import type { Engine, RunOptions, Stage, StageSession } from './port.ts'

/** Bits of a float's 23 that are dropped: coarser than any two processors differ, and a model still answers. */
const DROPPED_BITS = 10

/**
 * An engine whose results differ from this machine's as those of another kind of processor would: a stand-in for tests,
 * which have one machine. Results of stages are rounded to fewer bits, the same way each time; models that are
 * served whole are left as they are.
 */
export function withOtherKernels(engine: Engine): Engine {
  return {
    loadStage: async (init, options) => otherStage(await engine.loadStage(init, options)),
    loadEncoder: (init, options) => engine.loadEncoder(init, options),
    loadSpeech: (init, options) => engine.loadSpeech(init, options),
    loadVoice: (init, options) => engine.loadVoice(init, options),
    loadBark: (init, options) => engine.loadBark(init, options),
    loadDiffusion: (init, options) => engine.loadDiffusion(init, options),
    loadPictureReader: (init, options) => engine.loadPictureReader(init, options),
    loadCaptioner: (init, options) => engine.loadCaptioner(init, options)
  }
}

/** Rounds in place. */
export function roundOtherwise(values: Float32Array): Float32Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let index = 0; index < bits.length; index++) bits[index] = ((bits[index] ?? 0) >>> DROPPED_BITS) << DROPPED_BITS
  return values
}

function otherStage(stage: Stage): Stage {
  return replacing(stage, 'open', (...init: Parameters<Stage['open']>) => otherSession(stage.open(...init)))
}

function otherSession(session: StageSession): StageSession {
  const run = async (input: Uint32Array | Float32Array, options?: RunOptions): Promise<Float32Array> =>
    roundOtherwise(await session.run(input, options))
  return replacing(session, 'run', run)
}

/** The same object, with another method in the place of one. Its getters and private members stay its own. */
function replacing<Target extends object, Name extends keyof Target>(
  target: Target,
  name: Name,
  method: Target[Name]
): Target {
  return new Proxy(target, {
    get: (_, key) => {
      if (key === name) return method
      const value: unknown = Reflect.get(target, key, target)
      // not bound: V8's stacks of disposables take no bound functions
      return typeof value === 'function' ? (...args: unknown[]) => Reflect.apply(value, target, args) : value
    }
  })
}
