import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { FileBlobStore } from '@resultity/blobs'
import { requireDecoder } from '@resultity/interface'
import { type ChatMessage, PromptEncoder } from '@resultity/tokenizer'
import t, { type Test } from 'tap'
import { importModel, parseModelReference } from '../src/index.ts'
import { HeldTimers } from './support/held-timers.ts'

/** Longer than what is made tokens of at once. */
const LONG = 'The capital of France is Paris. '.repeat(1000)

async function open(t: Test, contextLength: number): Promise<PromptEncoder> {
  const dataDir = await mkdtemp(join(tmpdir(), 'resultity-prompts-'))
  const store = await FileBlobStore.open(dataDir)
  const { manifest } = await importModel(parseModelReference('tiny-chat'), { dataDir, store })
  const prompts = await PromptEncoder.open(requireDecoder(manifest), contextLength, store)
  t.teardown(async () => {
    await prompts[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    await rm(dataDir, { recursive: true, force: true })
  })
  return prompts
}

t.test('long prompts have the tokens that they have at once, and short ones need not wait for them', async t => {
  const prompts = await open(t, 100_000)
  const { tokenizer } = prompts
  const order: string[] = []
  const long = prompts.encode([LONG, 'Hello!', '']).finally(() => order.push('long'))
  const short = prompts.encode(['Hello!']).finally(() => order.push('short'))
  t.strictSame(await short, [tokenizer.encode('Hello!')])
  t.strictSame(
    await long,
    [LONG, 'Hello!', ''].map(text => tokenizer.encode(text))
  )
  t.strictSame(order, ['short', 'long'])
  const messages: ChatMessage[] = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: `<|user|>${LONG}` }
  ]
  for (const options of [{}, { addGenerationPrompt: false }]) {
    t.strictSame(await prompts.encodeChat(messages, options), tokenizer.encodeChat(messages, options))
    t.equal(await prompts.applyChatTemplate(messages, options), tokenizer.applyChatTemplate(messages, options))
  }
  t.strictSame(await prompts.encodeChat(messages.slice(0, 1)), tokenizer.encodeChat(messages.slice(0, 1)))
})

t.test('what is wrong with a long prompt is said as of a short one', async t => {
  const prompts = await open(t, 512)
  const words = 'a '.repeat(4500)
  const fits = prompts.tokenizer.charactersMax
  t.ok(words.length > 8192 && words.length > fits)
  for (const ask of [
    () => prompts.encode([words]),
    () => prompts.encodeChat([{ role: 'user', content: words }]),
    () => prompts.encode(['x'.repeat(fits), 'x'.repeat(fits + 1)])
  ] as (() => Promise<unknown>)[]) {
    await t.rejects(ask(), { code: 'context_length_exceeded', hint: /shorter/, details: { param: 'messages' } })
  }
})

t.test('whoever waits when the model goes is told', async t => {
  const prompts = await open(t, 100_000)
  const waiting = Array.from({ length: 256 }, () => prompts.encode([LONG]))
  await t.rejects(prompts.encode([LONG]), { code: 'resource_exhausted' })
  await prompts[Symbol.asyncDispose]()
  const outcomes = await Promise.allSettled(waiting)
  t.ok(outcomes.every(({ status }) => status === 'rejected'))
  await t.rejects(prompts.encode([LONG]), { code: 'unavailable' })
  t.equal((await prompts.encode(['Hello!'])).length, 1)
})

const DEADLINE_MS = 1000

/** tiny-chat, but for parts of its tokenizer. No prompt's time is up before the test says so. */
async function openWith(t: Test, parts: { template?: string; pattern?: string }, timers = new HeldTimers()) {
  const dataDir = await mkdtemp(join(tmpdir(), 'resultity-prompts-'))
  const store = await FileBlobStore.open(dataDir)
  const { manifest } = await importModel(parseModelReference('tiny-chat'), { dataDir, store })
  const decoder = requireDecoder(manifest)
  const { definition, config, endTokenIds } = decoder.tokenizer
  const read = async (sha256: string) => JSON.parse(Buffer.from(await store.read(sha256)).toString())
  const write = async (value: object) => {
    const bytes = new TextEncoder().encode(JSON.stringify(value))
    return { sha256: await store.put(bytes), bytes: bytes.length, tensors: [] }
  }
  const { template, pattern } = parts
  const definitionJson = await read(definition.sha256)
  const split = { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false }
  const cut = { type: 'Sequence', pretokenizers: [split, definitionJson.pre_tokenizer].filter(Boolean) }
  const tokenizer = {
    definition: await write(pattern === undefined ? definitionJson : { ...definitionJson, pre_tokenizer: cut }),
    config: await write({
      ...(await read(config.sha256)),
      ...(template === undefined ? {} : { chat_template: template })
    }),
    endTokenIds
  }
  const prompts = await PromptEncoder.open({ ...decoder, tokenizer }, 100_000, store, {
    deadlineMs: DEADLINE_MS,
    scheduler: timers.scheduler
  })
  t.teardown(async () => {
    await prompts[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    await rm(dataDir, { recursive: true, force: true })
  })
  return prompts
}

t.test('a model whose patterns or template never end holds neither the event loop nor its thread', async t => {
  const endless = { role: 'user' as const, content: `${'a'.repeat(60)}!` }
  const timers = new HeldTimers()
  const regex = await openWith(t, { pattern: '(a|a)*b' }, timers)
  let turns = 0
  /** Its time is up once it has begun and other things were done meanwhile. */
  const overrun = async <T>(reading: Promise<T>): Promise<T> => {
    reading.catch(() => undefined)
    for (turns = 0; turns <= 10 || !timers.expire(DEADLINE_MS); turns++) await setTimeout(1)
    return await reading
  }
  const refused = { code: 'invalid_request', message: /tiny-chat took more than 1000 ms/ }
  await t.rejects(overrun(regex.encodeChat([endless])), { ...refused, details: { param: 'messages' } })
  await t.rejects(overrun(regex.encode([endless.content])), { ...refused, details: { param: 'prompt' } })
  t.ok(turns > 10, `meanwhile ${turns} other things were done`)
  t.strictSame(await regex.encode(['Hello!']), [regex.tokenizer.encode('Hello!')], 'others are read on')

  const multiplying =
    "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for a in range(9) %}{% set ns.x = ns.x | replace('a', ns.x) %}{% endfor %}{{ ns.x }}"
  const template = await openWith(t, { template: multiplying })
  await t.rejects(template.encodeChat([endless]), { code: 'invalid_request', details: { param: 'messages' } })

  const slow = await openWith(t, { template: '{% for a in range(9000) %}{{ a }}{% endfor %}' })
  const ids = await slow.encodeChat([endless])
  t.same(ids, slow.tokenizer.encodeChat([endless]), 'what is too long for the event loop is rendered in the thread')
})
