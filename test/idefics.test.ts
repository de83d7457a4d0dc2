import { createEngine, type Engine, type StageSession } from '@resultity/engine'
import { prefillEnd, requireSight, statesOfPiece } from '@resultity/interface'
import { picturePieces } from '@resultity/pictures'
import { argmax } from '@resultity/sampling'
import t from 'tap'
import { type ConvertedIdefics, convertIdefics, drawnPicture, ideficsReference, shownIn } from './tiny-idefics.ts'

const reference = await ideficsReference()
const tiny = await convertIdefics()
t.teardown(() => tiny[Symbol.asyncDispose]())
const { config } = requireSight(tiny.manifest)
const { hiddenSize, layerCount, vocabularySize } = tiny.manifest.config

function floats(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64')
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, left, right] = [0, 0, 0]
  for (const [at, value] of a.entries()) {
    dot += value * (b[at] ?? 0)
    left += value ** 2
    right += (b[at] ?? 0) ** 2
  }
  return dot / Math.sqrt(left * right)
}

/** Sessions on all stages of a route. */
class Stages implements AsyncDisposable {
  readonly #open = new AsyncDisposableStack()
  readonly sessions: StageSession[] = []

  static async load(engine: Engine, model: ConvertedIdefics, ends: readonly number[]): Promise<Stages> {
    const made = new Stages()
    for (const [index, end] of ends.entries()) {
      const stage = made.#open.use(await engine.loadStage(model.init({ first: ends[index - 1] ?? 0, end })))
      made.sessions.push(stage.open({ positionsMax: 400 }))
    }
    return made
  }

  async run(tokens: readonly number[], shown: Parameters<StageSession['run']>[1] = {}): Promise<Float32Array> {
    let value: Uint32Array | Float32Array = Uint32Array.from(tokens)
    for (const [index, session] of this.sessions.entries()) value = await session.run(value, index === 0 ? shown : {})
    return Float32Array.from(value)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#open.disposeAsync()
  }
}

async function statesOf(engine: Engine, sizes: readonly (readonly [number, number])[]): Promise<Float32Array[]> {
  await using reader = await engine.loadPictureReader(tiny.init({ first: 0, end: 1 }))
  const pieces = sizes.flatMap(([width, height]) => picturePieces(drawnPicture(width, height), config))
  const states: Float32Array[] = []
  for (const piece of pieces) states.push(await reader.read(piece))
  return states
}

for (const kind of ['capi', 'node'] as const) {
  t.test(`${kind}: what is looked at has the states of the reference`, async t => {
    const engine = await createEngine(kind)
    await using reader = await engine.loadPictureReader(tiny.init({ first: 0, end: 1 }))
    const shown = await reader.read(drawnPicture(config.imageSize, config.imageSize).rgb)
    const wanted = floats(reference.shown)
    t.equal(shown.length, statesOfPiece(config) * hiddenSize)
    t.ok(cosine(shown, wanted) > 0.999999)
    const off = Math.max(...shown.map((value, at) => Math.abs(value - (wanted[at] ?? 0))))
    t.ok(off < 1e-4 * Math.max(...wanted.map(Math.abs)), `off by ${off}`)
    await t.rejects(reader.read(new Uint8Array(3)), { code: 'invalid_request' })
  })

  for (const ends of [[4], [1, 4], [1, 2, 3, 4]]) {
    t.test(`${kind}: chats with pictures are answered token by token as by the reference, cut at ${ends}`, async t => {
      const engine = await createEngine(kind)
      for (const { prompt, answer, sizes, logits: wanted } of reference.chats) {
        const states = await statesOf(engine, sizes)
        await using stages = await Stages.load(engine, tiny, ends)
        let logits = new Float32Array(0)
        for (let at = 0; at < prompt.length; ) {
          // pieces begin in one step and end in the next
          const end = prefillEnd(at, prompt.length, 32)
          logits = Float32Array.from(
            await stages.run(prompt.slice(at, end), { shown: shownIn(tiny, prompt, states, [at, end]) })
          )
          at = end
        }
        t.ok(cosine(logits, floats(wanted)) > 0.99999)
        t.equal(logits.length, vocabularySize)
        const found = [argmax(logits)]
        while (found.length < answer.length) found.push(argmax(await stages.run([found.at(-1) ?? 0])))
        t.same(found, answer)
      }
    })
  }

  t.test(`${kind}: states that fit nowhere are refused before anything runs`, async t => {
    const engine = await createEngine(kind)
    await using first = await engine.loadStage(tiny.init({ first: 0, end: 2 }))
    await using last = await engine.loadStage(tiny.init({ first: 2, end: layerCount }))
    using session = first.open({ positionsMax: 8 })
    const states = new Float32Array(hiddenSize)
    const tokens = Uint32Array.of(1, 2, 3)
    for (const shown of [
      [{ at: 3, states }],
      [{ at: -1, states }],
      [{ at: 0, states: new Float32Array(hiddenSize - 1) }],
      [{ at: 0, states: new Float32Array(4 * hiddenSize) }]
    ]) {
      await t.rejects(session.run(tokens, { shown }), { code: 'invalid_request' })
    }
    await t.rejects(session.run(Uint32Array.of(1), { shown: [{ at: 0, states }] }), { code: 'invalid_request' })
    using other = last.open({ positionsMax: 8 })
    const hidden = new Float32Array(2 * hiddenSize)
    await t.rejects(other.run(hidden, { shown: [{ at: 0, states }] }), { code: 'invalid_request' })
    t.equal(session.position, 0)
    t.equal((await session.run(tokens)).length, 3 * hiddenSize)
  })
}
