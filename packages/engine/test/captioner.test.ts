import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError, type WeightFile } from '@resultity/interface'
import t, { type Test } from 'tap'
import { createEngine, measureCaptioner } from '../src/index.ts'
import { captionsTable, describesAlike, measureCaptioning } from './caption-parity.ts'
import { cosineOf } from './cosine.ts'
import {
  type ConvertedBlip,
  convertBlip,
  floatsOfBase64,
  generateGreedily,
  referenceOf,
  type TinyBlip,
  tinyBlips
} from './tiny-blip.ts'

t.test('states behind every layer and texts are those of transformers, and the table says so', async t => {
  const rows = []
  for (const blip of tinyBlips) {
    const row = await measureCaptioning(blip)
    t.ok(describesAlike(row), JSON.stringify(row))
    rows.push(row)
  }
  const text = await readFile(join(import.meta.dirname, '../../../../docs/systems.md'), 'utf8')
  const [, found] = /<!-- descriptions:begin -->\n\n(.*?)\n<!-- descriptions:end -->/s.exec(text) ?? []
  t.equal(found, captionsTable(rows))
})

async function convert(t: Test, folder: TinyBlip['folder']): Promise<ConvertedBlip> {
  const converted = await convertBlip(folder)
  t.teardown(() => converted[Symbol.asyncDispose]())
  return converted
}

function compare(t: Test, found: Float32Array, wanted: Float32Array, what: string): void {
  t.equal(found.length, wanted.length, what)
  t.ok(cosineOf(found, wanted) >= 0.999999, `${what}: cosine ${cosineOf(found, wanted)}`)
}

for (const kind of ['capi', 'node'] as const) {
  for (const { folder, file } of tinyBlips) {
    t.test(
      `${kind}, ${folder}: logits of every position, at once and one by one, and texts are those of transformers`,
      async t => {
        const converted = await convert(t, folder)
        const { init, pixels, tokenizer } = converted
        const engine = await createEngine(kind)
        await using model = await engine.loadCaptioner(init())
        const reference = await referenceOf({ file })
        const { question, tokens } = reference
        const asked = question === undefined ? {} : { question }
        const wanted = floatsOfBase64(reference.logits)
        using text = await model.look(pixels, asked)
        compare(t, await text.run(tokens, { logits: 'all' }), wanted, 'at once')
        t.equal(text.position, tokens.length)
        using other = await model.look(pixels, asked)
        const single: number[] = []
        for (const token of tokens) single.push(...(await other.run([token])))
        compare(t, Float32Array.from(single), wanted, 'one by one')
        text[Symbol.dispose]()
        other[Symbol.dispose]()
        for (const generated of reference.generated) {
          const found = await generateGreedily(model, converted, generated, question)
          t.same(found, generated.tokens, JSON.stringify(generated))
          t.equal(tokenizer.decode(found), generated.text)
        }
        const { msPerTokenLayer, lookingMs } = await measureCaptioner(model)
        t.ok(msPerTokenLayer > 0 && lookingMs > 0)
        t.equal(model.picturesOpen, 0)
      }
    )
  }

  t.test(`${kind}: what is open is counted, and what is wrong refused`, async t => {
    const { init, pixels } = await convert(t, 'tiny-answerer')
    const engine = await createEngine(kind)
    const refused = (code: string, work: Promise<unknown>): Promise<unknown> => t.rejects(work, { code })
    for (const picturesMax of [0, 1025, 1.5])
      await refused('invalid_request', engine.loadCaptioner(init({ picturesMax })))
    const model = await engine.loadCaptioner(init())
    const { textContext, vocabularySize, tokens } = model.config
    const question = [tokens.end]
    await refused('invalid_request', model.look(pixels))
    await refused('invalid_request', model.look(pixels, { question: [] }))
    await refused('invalid_request', model.look(pixels, { question: [vocabularySize] }))
    await refused('invalid_request', model.look(pixels.subarray(1), { question }))
    await refused('invalid_request', model.look(pixels.with(7, Number.NaN), { question }))
    await refused('context_length_exceeded', model.look(pixels, { question: Array(textContext + 1).fill(1) }))
    const ended = new MeshError('canceled', 'ended')
    await refused('canceled', model.look(pixels, { question, signal: AbortSignal.abort(ended) }))
    t.equal(model.picturesOpen, 0)
    const first = await model.look(pixels, { question: Array(textContext).fill(5) })
    using second = await model.look(pixels, { question })
    t.equal(model.picturesOpen, 2)
    await refused('resource_exhausted', model.look(pixels, { question }))
    first[Symbol.dispose]()
    await refused('unavailable', first.run([tokens.begin]))
    await refused('invalid_request', second.run([]))
    await refused('invalid_request', second.run([vocabularySize]))
    await refused('context_length_exceeded', second.run(Array(textContext + 1).fill(1)))
    await second.run(Array(textContext).fill(1))
    t.equal(second.position, textContext)
    await refused('context_length_exceeded', second.run([1]))
    const running = model.look(pixels, { question })
    await model[Symbol.asyncDispose]()
    await running.then(
      text => text[Symbol.dispose](),
      (error: unknown) => t.match(error, { code: 'unavailable' })
    )
    await refused('unavailable', model.look(pixels, { question }))
    await model[Symbol.asyncDispose]()
  })

  t.test(`${kind}: a model for captions takes no question, and damaged weights give an error`, async t => {
    const { init, manifest, pixels } = await convert(t, 'tiny-captioner')
    const engine = await createEngine(kind)
    await using model = await engine.loadCaptioner(init())
    await t.rejects(model.look(pixels, { question: [3] }), { code: 'invalid_request' })
    const damaged = join(init().workDir, 'damaged')
    const { embedding } = manifest
    await writeFile(damaged, new Uint8Array(embedding.bytes).fill(255))
    const weightPath = (file: WeightFile): string => (file === embedding ? damaged : init().weightPath(file))
    await using wrong = await engine.loadCaptioner(init({ weightPath }))
    using text = await wrong.look(pixels)
    await t.rejects(text.run([1]), { code: 'engine_failed' })
    await t.rejects(engine.loadCaptioner(init({ weightPath: () => '/nowhere' })), { code: 'engine_failed' })
  })
}
