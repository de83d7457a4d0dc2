import { FALLBACK_TEMPERATURES, MeshError } from '@resultity/interface'
import t from 'tap'
import { hearPiece, PIECE_TOKENS_MAX, PIECE_WINDOWS_MAX, type PieceInit } from '../src/hear-piece.ts'
import { textOf } from '../src/token-text.ts'
import { at, bytesOf, config, type Script, ScriptedSpeech, saying } from './support/scripted-speech.ts'

const { startOfTranscript, startOfPrevious, endOfText, noSpeech, transcribe } = config.tokens

/** Sound of so many frames, each with its own number. */
function sound(frames: number): PieceInit['mel'] {
  return {
    bands: 2,
    frames,
    width: frames,
    values: Float32Array.from({ length: 2 * frames }, (_, index) => index % frames)
  }
}
const common = { bytesOf, task: 'transcribe', prompt: [], temperatures: [0], words: false, chance: () => 0 } as const
const textsOf = (segments: readonly { readonly tokens: readonly number[] }[]): string[] =>
  segments.map(({ tokens }) => textOf(tokens, bytesOf))

t.test('a window is written, with what is known of it', async t => {
  const model = new ScriptedSpeech(saying([at(0.5), 0, 2, 3, at(2)]))
  const { language, segments } = await hearPiece(model, { ...common, mel: sound(300), language: 'de' })
  t.same(language, { code: 'de', probability: 1 })
  t.match(segments, [{ seek: 0, start: 0, end: 2, tokens: [at(0.5), 0, 2, 3, at(2)], temperature: 0 }])
  t.strictSame(textsOf(segments), [' a c.'])
  const [segment] = segments
  t.equal(segment?.logprobs.length, 5)
  t.ok((segment?.averageLogprob ?? -9) > -0.001, 'the script leaves no doubt')
  t.ok((segment?.noSpeech ?? 1) < 0.01)
  t.equal(segment?.compressionRatio, 4 / 12)
  t.strictSame(model.runs[0], [startOfTranscript])
  t.strictSame(model.runs[1], [23, transcribe])
  t.equal(model.open, 0, 'windows and sessions are closed')
})

t.test('a window is filled up with silence', async t => {
  const model = new ScriptedSpeech(saying([at(0), 0, at(1)]))
  await hearPiece(model, { ...common, mel: sound(120), language: 'en' })
  const [mel] = model.heard
  t.equal(mel?.length, 600)
  t.strictSame([...(mel?.subarray(118, 122) ?? [])], [118, 119, 0, 0])
  t.strictSame([...(mel?.subarray(300, 302) ?? [])], [0, 1])
})

t.test('the language is heard before anything is written', async t => {
  const script: Script = asked =>
    asked.tokens.length === 1 ? { 22: 1, 23: 2, 5: 9 } : saying([at(0), 0, at(1)])(asked)
  const model = new ScriptedSpeech(script)
  const { language } = await hearPiece(model, { ...common, prompt: [1], mel: sound(300) })
  t.equal(language.code, 'de')
  t.ok(Math.abs(language.probability - 1 / (1 + Math.exp(-1))) < 1e-6)
  t.strictSame(model.runs.slice(0, 3), [[startOfTranscript], [startOfPrevious, 1, startOfTranscript], [23, transcribe]])
})

t.test('a model for English hears English and does not translate', async t => {
  const said = [at(0), 0, at(1), endOfText]
  const model = new ScriptedSpeech(({ tokens }) => ({ [said[tokens.length - 1] ?? endOfText]: 0 }), {
    multilingual: false,
    languages: {}
  })
  const { language, segments } = await hearPiece(model, { ...common, mel: sound(300) })
  t.same(language, { code: 'en', probability: 1 })
  t.strictSame(textsOf(segments), [' a'])
  await t.rejects(hearPiece(model, { ...common, task: 'translate', mel: sound(300) }), { code: 'invalid_request' })
})

t.test('a segment that the window cuts off is heard again in the next, behind what was said', async t => {
  const first = [at(0), 0, at(1.4), at(1.6), 2]
  const model = new ScriptedSpeech(saying(first, [at(0.2), 2, at(1), at(1), 2, at(2)]))
  const { segments } = await hearPiece(model, { ...common, mel: sound(400), language: 'en' })
  t.strictSame(
    segments.map(({ seek, start, end }) => [seek, start, end]),
    [
      [0, 0, 1.4],
      [140, 1.6, 2.4],
      [140, 2.4, 3.4]
    ]
  )
  t.strictSame(textsOf(segments), [' a', ' c', ' c'])
  t.equal(model.heard[1]?.[0], 140, 'the second window begins there')
  const said = [startOfPrevious, at(0), 0, at(1.4), startOfTranscript]
  t.ok(model.runs.some(tokens => tokens.join() === said.join()))
})

t.test('a text that repeats itself at every temperature stands, and is no context', async t => {
  const loop = [at(0), ...new Array<number>(26).fill(0), at(2), at(2)]
  const model = new ScriptedSpeech(saying(loop, [at(0), 2, at(1)]))
  const { segments } = await hearPiece(model, { ...common, mel: sound(400), language: 'en', temperatures: [0, 0.6] })
  t.equal(segments[0]?.temperature, 0, 'of texts that are alike, the first counts')
  t.ok((segments[0]?.compressionRatio ?? 0) > 2.4)
  t.equal(model.runs.filter(([token]) => token === at(0)).length, 3, 'it was written twice')
  t.notOk(model.runs.flat().includes(startOfPrevious), 'the next window is told nothing')
})

t.test('the ladder ends with the first text that is good enough', async t => {
  const draws: number[] = []
  // unsure at the second token: the first draw takes a token that leads nowhere sure, the second one that does
  const script: Script = ({ tokens }) => {
    const written = tokens.slice(tokens.lastIndexOf(transcribe) + 1)
    if (tokens.length < 3) return { 22: 0 }
    if (written.length === 0) return { [at(0)]: 0 }
    if (written.length === 1) return { 0: 1, 2: 0.9, 3: 0.9 }
    // behind a, nothing is likely
    if (written[1] === 0)
      return written.length < 5
        ? Object.fromEntries(Array.from({ length: 9 }, (_, token) => [token, 0]))
        : { [endOfText]: 0 }
    return { [endOfText]: 0 }
  }
  const model = new ScriptedSpeech(script)
  const chance = (): number => {
    draws.push(0.5)
    return 0.5
  }
  const init = { ...common, mel: sound(300), language: 'en', temperatures: FALLBACK_TEMPERATURES, chance }
  const { segments } = await hearPiece(model, init)
  t.strictSame(textsOf(segments), [' c'])
  t.equal(segments[0]?.temperature, 0.2)
  t.ok(draws.length > 0)
})

t.test('silence says nothing', async t => {
  const script: Script = ({ tokens }) => {
    if (tokens.length === 1) return { [noSpeech]: 5 }
    // anything is as likely as anything else
    return Object.fromEntries(Array.from({ length: config.vocabularySize }, (_, token) => [token, 0]))
  }
  const model = new ScriptedSpeech(script)
  const { segments } = await hearPiece(model, {
    ...common,
    mel: sound(500),
    language: 'en',
    temperatures: FALLBACK_TEMPERATURES
  })
  t.strictSame(segments, [])
  t.equal(model.heard.length, 2, 'each window was heard once, and not written again')
})

t.test('segments that say nothing are left out', async t => {
  const model = new ScriptedSpeech(saying([at(0), at(1), at(1), 0, at(2)]))
  const { segments } = await hearPiece(model, { ...common, mel: sound(300), language: 'en' })
  t.ok(textsOf(segments).every(text => text.trim() !== ''))
})

t.test('words have times', async t => {
  const model = new ScriptedSpeech(saying([at(0), 0, 2, 3, at(2)]))
  const { segments } = await hearPiece(model, { ...common, mel: sound(300), language: 'en', words: true })
  t.strictSame(model.aligned, [[startOfTranscript, 22, transcribe, 28, 0, 2, 3, endOfText]])
  t.strictSame(
    segments[0]?.words?.map(({ text, tokens }) => [text, tokens]),
    [
      [' a', [0]],
      [' c.', [2, 3]]
    ]
  )
  const starts = segments[0]?.words?.map(({ start }) => start) ?? []
  t.ok((starts[1] ?? 0) > (starts[0] ?? 9))
})

t.test('one that never gets further is stopped', async t => {
  // each window says that its first 20 ms are whole, and the rest is cut off
  const model = new ScriptedSpeech(({ tokens }) => {
    const written = tokens.slice(tokens.lastIndexOf(transcribe) + 1)
    const next = [at(0), 0, at(0.02), at(0.02), 2][written.length] ?? endOfText
    return { [tokens.length < 2 ? 22 : next]: 0 }
  })
  const { segments } = await hearPiece(model, { ...common, mel: sound(300), language: 'en' })
  t.equal(model.heard.length, PIECE_WINDOWS_MAX)
  t.equal(segments.at(-1)?.end, 3, 'what is left is not lost')
})

t.test('a piece that is written in vain again and again is written once in the end', async t => {
  // every window repeats itself to the end, and says that its first 100 ms are whole
  const loop = [at(0), 0, at(0.1), at(0.1), ...new Array<number>(28).fill(0)]
  const model = new ScriptedSpeech(saying(...new Array<number[]>(PIECE_WINDOWS_MAX).fill(loop)))
  const temperatures = [0, ...new Array<number>(7).fill(1)]
  await hearPiece(model, { ...common, mel: sound(300), language: 'en', temperatures })
  const tries = model.runs.filter(([token]) => token === at(0)).length
  const most = Math.ceil(PIECE_TOKENS_MAX / (temperatures.length * loop.length))
  t.ok(tries <= most * temperatures.length + PIECE_WINDOWS_MAX, `${tries} tries`)
  t.ok(tries > PIECE_WINDOWS_MAX)
})

t.test('it ends between two tokens when nobody waits', async t => {
  const abort = new AbortController()
  let asked = 0
  const model = new ScriptedSpeech(input => {
    if (++asked === 4) abort.abort(new MeshError('canceled', 'gone'))
    return saying([at(0), 0, 1, 2, 0, 1, 2])(input)
  })
  await t.rejects(hearPiece(model, { ...common, mel: sound(300), language: 'en' }, { signal: abort.signal }), {
    code: 'canceled'
  })
  t.equal(asked, 4)
  t.equal(model.open, 0)
})

t.test('a language that the model does not know is refused', async t => {
  const model = new ScriptedSpeech(saying([]))
  await t.rejects(hearPiece(model, { ...common, mel: sound(300), language: 'xx' }), { code: 'invalid_request' })
  t.equal(model.open, 0)
})
