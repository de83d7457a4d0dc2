import type { BarkConfig, TokenSynthesisJob } from '@resultity/interface'
import t from 'tap'
import { chanceOf } from '../src/bark/driver/chance.ts'
import { drawToken } from '../src/bark/driver/draw-token.ts'
import { type BarkRuns, sayTokens } from '../src/index.ts'

const sizes = { layerCount: 1, headCount: 1, hiddenSize: 8, context: 64, temperature: 1, topK: 0, topP: 1 }
const config: BarkConfig = {
  sampleRate: 24_000,
  language: 'en',
  semantic: {
    ...sizes,
    inputVocabularySize: 100,
    outputVocabularySize: 12,
    textOffset: 12,
    textPad: 90,
    infer: 91,
    semanticCount: 10,
    end: 10,
    inputLength: 6,
    newTokensMax: 20,
    rate: 50
  },
  coarse: {
    ...sizes,
    vocabularySize: 20,
    pad: 18,
    infer: 19,
    inputLength: 6,
    historyLength: 12,
    windowLength: 4,
    codebookCount: 2,
    rate: 75
  },
  fine: {
    layerCount: 1,
    headCount: 1,
    hiddenSize: 8,
    context: 8,
    vocabularySize: 6,
    codebookCount: 4,
    historyLength: 4,
    inputLength: 8,
    temperature: 0.5
  },
  codec: {
    codebookSize: 4,
    hiddenSize: 8,
    filterCount: 2,
    kernelSize: 7,
    lastKernelSize: 7,
    residualKernelSize: 3,
    dilationGrowth: 2,
    ratios: [2],
    residualCount: 1,
    recurrentCount: 1,
    compress: 2,
    trimRight: 1,
    shortcut: true
  },
  prompts: [],
  speakers: {},
  languages: {}
}

interface Asked {
  readonly part: string
  readonly tokens: readonly number[]
  readonly position: number
  readonly beside: readonly number[] | undefined
}

/** Graphs that give logits by a formula, and tell what they were asked. */
function scripted(endsAt = 9): { readonly runs: BarkRuns; readonly asked: Asked[]; readonly open: { count: number } } {
  const asked: Asked[] = []
  const open = { count: 0 }
  let written = 0
  const runs: BarkRuns = {
    begin: part => {
      open.count += 1
      return {
        run: async (tokens, position, { signal }, beside) => {
          signal?.throwIfAborted()
          asked.push({ part, tokens, position, beside })
          if (part === 'coarse') return Float32Array.from({ length: 20 }, (_, at) => Math.sin(at * (1 + position)))
          written += 1
          return Float32Array.from({ length: 12 }, (_, at) =>
            written > endsAt ? Number(at === 10) * 50 : Math.cos(at * written)
          )
        },
        [Symbol.dispose]: () => {
          open.count -= 1
        }
      }
    },
    refine: async (rows, books) =>
      Float32Array.from({ length: (rows.length / books) * 6 }, (_, at) => Math.sin(at * books)),
    sound: async rows => Float32Array.from({ length: (rows.length / 4) * 2 }, (_, at) => at)
  }
  return { runs, asked, open }
}

const job: TokenSynthesisJob = { tokens: [1, 2, 3], seed: '5', sentence: 0 }

t.test('the text is filled up, offset, and read beside what the voice has said', async t => {
  const { runs, asked, open } = scripted()
  const prompt = {
    semantic: [7, 8],
    coarse: [
      [1, 2, 3],
      [0, 1, 2]
    ],
    fine: [[1], [2], [3], [0]]
  }
  const said = await sayTokens(config, runs, job, { prompt })
  t.strictSame(asked[0], {
    part: 'semantic',
    tokens: [13, 14, 15, 90, 90, 90, 91],
    position: 0,
    beside: [7, 8, 10, 10, 10, 10, -1]
  })
  t.strictSame(asked[1]?.tokens, [said.semantic[0]])
  t.equal(asked[1]?.position, 7)
  t.equal(said.semantic.length, 9, 'it ended behind nine tokens')
  t.equal(said.coarse.length, 13, 'nine tokens at 50 Hz are 13 frames at 75 Hz')
  const windows = asked.filter(({ part, position }) => part === 'coarse' && position === 0)
  t.equal(windows.length, 7, 'it reads anew every two frames')
  t.equal(windows[0]?.tokens[6], 19)
  t.strictSame(windows[0]?.tokens.slice(7), [11, 14, 12, 15], 'what was said before, but its last frame')
  t.ok(said.fine.every(codes => codes.length === 4 && codes.every(code => code >= 0 && code < 4)))
  t.strictSame(
    said.fine.map(codes => codes.slice(0, 2)),
    said.coarse,
    'coarse codes stand'
  )
  t.equal(said.samples.length, 26)
  t.equal(open.count, 0, 'every cache was given back')
})

t.test('the same seed draws the same, and each sentence draws for itself', async t => {
  const say = async (change: Partial<TokenSynthesisJob>) =>
    (await sayTokens(config, scripted().runs, { ...job, ...change })).semantic
  const first = await say({})
  t.strictSame(await say({}), first)
  t.notSame(await say({ seed: '6' }), first)
  t.notSame(await say({ sentence: 1 }), first)
  t.strictSame(await say({ temperature: 0, seed: '1' }), await say({ temperature: 0, seed: '2' }))
})

t.test('at least one token is said, and no more than there may be', async t => {
  t.equal((await sayTokens(config, scripted(0).runs, job)).semantic.length, 1)
  t.equal(
    (await sayTokens(config, scripted(Number.POSITIVE_INFINITY).runs, { ...job, temperature: 0 })).semantic.length <=
      20,
    true
  )
})

t.test('a sentence that is not read is refused, and one that is aborted gives its cache back', async t => {
  const { runs, asked, open } = scripted()
  for (const tokens of [[], [1, 2, 3, 4, 5, 6, 7], [88], [-1]]) {
    await t.rejects(sayTokens(config, runs, { ...job, tokens }), {
      code: 'invalid_request',
      details: { param: 'tokens' }
    })
  }
  await t.rejects(sayTokens(config, runs, { ...job, speaker: 0 }), {
    code: 'invalid_request',
    details: { param: 'speaker' }
  })
  t.equal(asked.length, 0)
  const reason = new Error('enough')
  await t.rejects(sayTokens(config, runs, job, { signal: AbortSignal.abort(reason) }), reason)
  t.equal(open.count, 0)
})

t.test('chance is as documented, and draws by its settings', async t => {
  const [a, b] = [chanceOf(7n, 3, 'coarse'), chanceOf(7n, 3, 'coarse')]
  const drawn = Array.from({ length: 100 }, () => a())
  t.ok(drawn.every(number => number >= 0 && number < 1))
  t.strictSame(
    drawn,
    Array.from({ length: 100 }, () => b())
  )
  t.notSame(chanceOf(7n, 3, 'fine')(), drawn[0])
  // pinned: nodes of all versions draw alike
  t.strictSame(
    [chanceOf(0n, 0, 'semantic')(), chanceOf(2n ** 64n - 1n, 1, 'fine')()].map(number => number.toFixed(6)),
    ['0.178931', '0.522323']
  )
  const logits = Float32Array.of(1, 3, 2, 3)
  t.equal(
    drawToken(logits, { temperature: 0, topK: 0, topP: 1 }, () => 0.99),
    1,
    'of the most likely ones the first'
  )
  t.equal(
    drawToken(logits, { temperature: 1, topK: 1, topP: 1 }, () => 0.99),
    1
  )
  const many = Float32Array.from({ length: 2000 }, (_, at) => Math.round(9 * Math.sin(at)))
  const draw = { temperature: 3, topK: 250, topP: 0.9 }
  const order = [...many.keys()].sort((a, b) => (many[b] ?? 0) - (many[a] ?? 0) || a - b)
  const selected = [0, 0.4, 0.8].map(chance => drawToken(many, draw, () => chance))
  t.equal(selected[0], order[0], 'few of many are selected in the order of all')
  t.ok(selected.every(index => order.indexOf(index) < 250))
  t.equal(
    drawToken(logits, { temperature: 1, topK: 2, topP: 1 }, () => 0.99),
    3
  )
  t.equal(
    drawToken(logits, { temperature: 1, topK: 0, topP: 0.1 }, () => 0.99),
    1
  )
  t.equal(
    drawToken(logits, { temperature: 1, topK: 0, topP: 1 }, () => 0),
    0
  )
  t.equal(
    drawToken(logits, { temperature: 1, topK: 0, topP: 1 }, () => 0.999_999),
    3
  )
})
