import { type Captioner, MeshError, type PictureText } from '@resultity/interface'
import t from 'tap'
import { describePicture, openBlip } from '../src/index.ts'
import { fixtures } from './published.ts'

/** A model that wants `script` behind what it is given, one after the other; what it was asked is written down. */
function scripted(script: readonly number[]) {
  using source = openBlip(`${fixtures}/tiny-captioner`)
  const { config } = source
  const log = { runs: [] as number[][], closed: 0, question: undefined as readonly number[] | undefined }
  let given = 0
  const text: PictureText = {
    position: 0,
    run: async tokens => {
      log.runs.push([...tokens])
      const wanted = script[given++] ?? 0
      return Float32Array.from({ length: config.vocabularySize }, (_, token) => (token === wanted ? 1 : 0))
    },
    [Symbol.dispose]: () => {
      log.closed++
    }
  }
  const model: Captioner = {
    config,
    picturesMax: 1,
    picturesOpen: 0,
    look: async (_, options = {}) => {
      log.question = options.question
      return text
    },
    [Symbol.asyncDispose]: async () => undefined
  }
  return { model, log, config }
}

const likeliest = { next: (logits: Float32Array) => logits.indexOf(Math.max(...logits)) }
const pixels = new Float32Array(0)

t.test('a text goes on from its beginning to the token that ends it', async t => {
  const { model, log, config } = scripted([7, 8, 3])
  t.equal(config.tokens.end, 3)
  const seen: number[][] = []
  const chooser = (tokens: readonly number[]) => {
    seen.push([...tokens])
    return likeliest
  }
  const result = await describePicture(model, { pixels, prompt: [10, 11], question: [4], tokensMax: 9, chooser })
  t.same(result, { tokens: [7, 8], finish: 'stop' })
  t.same(log.runs, [[config.tokens.begin, 10, 11], [7], [8]])
  t.same(seen, [[config.tokens.begin, 10, 11]], 'penalties count the beginning')
  t.same(log.question, [4])
  t.equal(log.closed, 1)
})

t.test('it ends where it may be no longer, by what was asked or by the context', async t => {
  const { model, log, config } = scripted(Array(100).fill(7))
  const chooser = () => likeliest
  const short = await describePicture(model, { pixels, prompt: [], tokensMax: 2, chooser })
  t.same(short, { tokens: [7, 7], finish: 'length' })
  t.equal(log.runs.length, 2, 'nothing is run behind the last token')
  const long = await describePicture(model, { pixels, prompt: [1], tokensMax: 4096, chooser })
  t.equal(long.tokens.length, config.textContext - 2)
  t.equal(long.finish, 'length')
  const full = { pixels, prompt: Array<number>(config.textContext).fill(1), tokensMax: 1, chooser }
  await t.rejects(describePicture(model, full), { code: 'context_length_exceeded' })
})

t.test('what is open is closed when a run fails', async t => {
  const { model, log } = scripted([7])
  const broken = {
    next: () => {
      throw new MeshError('engine_failed', 'no numbers')
    }
  }
  await t.rejects(describePicture(model, { pixels, prompt: [], tokensMax: 1, chooser: () => broken }), {
    code: 'engine_failed'
  })
  t.equal(log.closed, 1)
})
