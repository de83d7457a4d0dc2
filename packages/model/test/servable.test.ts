import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileBlobStore } from '@resultity/blobs'
import type { GgufEntry } from '@resultity/formats'
import { requireDecoder } from '@resultity/interface'
import { loadTokenizer } from '@resultity/tokenizer'
import t, { type Test } from 'tap'
import { type ImportedModel, importModel, parseModelReference } from '../src/index.ts'
import { ggufBytes, TINY_CHAT, tinyGguf, withMetadata } from './tiny-models.ts'

interface Workplace {
  readonly directory: string
  readonly store: FileBlobStore
  run(path: string): Promise<ImportedModel>
  /** What serves conversations with an imported model. */
  prompt(imported: ImportedModel): Promise<{ text: string; endTokenIds: number[]; bos: number | undefined }>
}

async function workplace(t: Test): Promise<Workplace> {
  const directory = await mkdtemp(join(tmpdir(), 'resultity-servable-'))
  const dataDir = join(directory, 'data')
  const store = await FileBlobStore.open(dataDir)
  t.teardown(async () => {
    await store[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })
  return {
    directory,
    store,
    run: path => importModel(parseModelReference(`file:${path}`), { dataDir, store }),
    async prompt({ manifest }) {
      const tokenizer = await loadTokenizer(requireDecoder(manifest), store)
      const text = tokenizer.applyChatTemplate([{ role: 'user', content: 'Hi' }])
      return { text, endTokenIds: [...tokenizer.endTokenIds], bos: tokenizer.bosTokenId }
    }
  }
}

type Changes = Record<string, GgufEntry | undefined>
const text = (value: string): GgufEntry => ({ type: 'string', value })

async function gguf({ directory }: Workplace, name: string, changes: Changes): Promise<string> {
  const path = join(directory, `${name}.gguf`)
  await writeFile(path, ggufBytes(withMetadata(tinyGguf(), changes)))
  return path
}

/** A copy of tiny-chat with other fields in its `tokenizer_config.json`, and other files. */
async function folder({ directory }: Workplace, name: string, config: object, files: Record<string, string> = {}) {
  const path = join(directory, name)
  await cp(TINY_CHAT, path, { recursive: true })
  const file = join(path, 'tokenizer_config.json')
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...config }))
  for (const [other, content] of Object.entries(files)) await writeFile(join(path, other), content)
  return path
}

t.test(
  'a template that no conversation can be written with is refused at the import, by the name of its file',
  async t => {
    const place = await workplace(t)
    const templates = {
      broken: { template: '{{ broken', message: /cannot be parsed/ },
      refusing: { template: "{{ raise_exception('never') }}", message: /writes no conversation .*never/ },
      failing: { template: '{{ messages | nope }}', message: /writes no conversation/ },
      endless: {
        template: '{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}',
        message: /writes no/
      },
      unknown: { template: 'nope', message: /the name "nope"/ }
    }
    for (const [name, { template, message }] of Object.entries(templates)) {
      const refusal = (path: string) => ({
        name: 'MeshError',
        code: 'model_invalid',
        message: new RegExp(`^${path}.*(${message.source})`),
        hint: /./
      })
      const file = await gguf(place, name, { 'tokenizer.chat_template': text(template) })
      await t.rejects(place.run(file), refusal(file), `${name}, in a GGUF file`)
      const path = await folder(place, name, { chat_template: template })
      await t.rejects(place.run(path), refusal(path), `${name}, in a folder`)
    }
    const left = await readdir(join(place.directory, 'data', 'blobs')).catch(() => [])
    t.strictSame(left, [], 'before any weight is converted')
  }
)

t.test('a template that wants the system to speak first, and one by name, are taken', async t => {
  const place = await workplace(t)
  const strict =
    "{% if messages[0].role != 'system' %}{{ raise_exception('no') }}{% endif %}{% for m in messages %}{{ m.content }}{% endfor %}"
  await place.run(await folder(place, 'strict', { chat_template: strict }))
  const named = await place.run(await gguf(place, 'named', { 'tokenizer.chat_template': text('phi3') }))
  t.match((await place.prompt(named)).text, /<\|user\|>\nHi<\|end\|>\n<\|assistant\|>\n$/)
  const empty = await place.run(await gguf(place, 'empty', { 'tokenizer.chat_template': text('') }))
  t.match((await place.prompt(empty)).text, /User: Hi\nAssistant:$/)
  const special = {
    'tokenizer.chat_template': undefined,
    'tokenizer.chat_template.tool_use': text('T{{ messages[0].content }}')
  }
  t.equal((await place.prompt(await place.run(await gguf(place, 'special', special)))).text, 'THi')
  const jinja = await folder(place, 'jinja', {}, { 'chat_template.jinja': '\n' })
  t.match((await place.prompt(await place.run(jinja))).text, /<\|user\|>/, 'a file with nothing in it is none')
})

t.test('a token that is none is none', async t => {
  const place = await workplace(t)
  for (const [name, none] of Object.entries({
    unsigned: { type: 'u32', value: 4_294_967_295 },
    signed: { type: 'i32', value: -1 },
    beyond: { type: 'u32', value: 70_000 }
  } as const)) {
    const keys = ['bos', 'eos', 'eot', 'eom', 'unknown', 'padding'].map(key => `tokenizer.ggml.${key}_token_id`)
    const changes = Object.fromEntries(keys.map(key => [key, none]))
    const { bos, endTokenIds } = await place.prompt(await place.run(await gguf(place, name, changes)))
    t.equal(bos, undefined, name)
    t.ok(
      endTokenIds.every(id => id >= 0 && id < 300),
      name
    )
  }
  const listed = await folder(
    place,
    'listed',
    {},
    { 'generation_config.json': '{"eos_token_id": [-1, 6, 99999], "bos_token_id": -1}' }
  )
  t.strictSame((await place.prompt(await place.run(listed))).endTokenIds, [2, 6], 'and one that the model has not')
})

t.test('what is wrong with a tokenizer is said of its file', async t => {
  const place = await workplace(t)
  const cases = {
    pointer: {
      files: { 'tokenizer.json': 'version https://git-lfs.github.com/spec/v1\noid' },
      message: /tokenizer\.json: is a Git LFS/
    },
    text: { files: { 'tokenizer.json': 'no JSON' }, message: /tokenizer\.json is not JSON/ },
    config: { files: { 'tokenizer_config.json': '[]' }, message: /tokenizer_config\.json/ }
  }
  for (const [name, { files, message }] of Object.entries(cases)) {
    const path = await folder(place, name, {}, files)
    await t.rejects(
      place.run(path),
      { code: 'model_invalid', message: new RegExp(`^${path}.*(${message.source})`) },
      name
    )
  }
  const file = await gguf(place, 'pre', { 'tokenizer.ggml.model': text('gpt2'), 'tokenizer.ggml.pre': text('nope') })
  await t.rejects(place.run(file), {
    message: new RegExp(`^${file}: tokenizer\\.ggml\\.pre is "nope"`),
    hint: /tokenizer\.json/
  })
  const small = await folder(place, 'small', {})
  const config = JSON.parse(await readFile(join(small, 'config.json'), 'utf8'))
  const tokenizer = JSON.parse(await readFile(join(small, 'tokenizer.json'), 'utf8'))
  tokenizer.model.vocab['one too many'] = config.vocab_size
  await writeFile(join(small, 'tokenizer.json'), JSON.stringify(tokenizer))
  await t.rejects(place.run(small), { message: new RegExp(`^${small}: the tokenizer has id ${config.vocab_size}`) })
})
