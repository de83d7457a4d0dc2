import t from 'tap'
import { advertised, modelsOf } from '../src/model-list.ts'
import { upstreamAddresses } from '../src/upstream-address.ts'

const all = { wanted: undefined, jobsMax: 2 }

t.test('lists of known servers are read in their own words', async t => {
  const lengths = modelsOf(
    {
      data: [
        { id: 'vllm', max_model_len: 1 },
        { id: 'lm-studio', max_context_length: 2, type: 'llm' },
        { id: 'llama-server', meta: { n_ctx_train: 3 } },
        { id: 'ours', contextLength: 4, kind: 'encoder' },
        { id: 'ollama', created: 5 }
      ]
    },
    all
  )
  t.strictSame(
    lengths?.map(({ name, contextLength, endpoints }) => [name, contextLength, endpoints.length]),
    [
      ['vllm', 1, 3],
      ['lm-studio', 2, 2],
      ['llama-server', 3, 3],
      ['ours', 4, 1],
      ['ollama', undefined, 3]
    ]
  )
})

t.test('what cannot be offered is left out', async t => {
  const bad = [
    { id: '' },
    { id: 'a\u001b[2Jb' },
    { id: 'x'.repeat(300) },
    { id: 7 },
    null,
    { id: 'of another mesh\u2019s upstream', kind: 'upstream' },
    { id: 'good', max_model_len: -4 },
    { id: 'good' }
  ]
  t.strictSame(
    modelsOf({ data: bad }, all)?.map(({ name, contextLength }) => [name, contextLength]),
    [['good', undefined]]
  )
  t.equal(modelsOf({ data: 'none' }, all), undefined)
  t.equal(modelsOf(undefined, all), undefined)
  t.strictSame(
    modelsOf({ data: [{ id: 'a' }, { id: 'b' }] }, { ...all, wanted: ['b'] })?.map(({ name }) => name),
    ['b']
  )
})

t.test('an advert has room for all that is said in it', async t => {
  const many = modelsOf({ data: Array.from({ length: 500 }, (_, at) => ({ id: `model-${at}` })) }, all) ?? []
  t.equal(advertised(many).length, 64)
  const wide =
    modelsOf({ data: Array.from({ length: 64 }, (_, at) => ({ id: `${at}${'字'.repeat(250)}` })) }, all) ?? []
  const some = advertised(wide)
  t.ok(some.length > 4 && some.length < 64)
  t.ok(Buffer.byteLength(JSON.stringify(some)) <= 12 * 1024 + 2)
})

t.test('addresses are those that the operator gave', async t => {
  t.strictSame(
    upstreamAddresses(['http://127.0.0.1:8000', 'https://example.org/api/v1/', 'http://127.0.0.1:8000/v1']),
    [
      { base: 'http://127.0.0.1:8000/v1', named: true },
      { base: 'https://example.org/api/v1', named: true }
    ]
  )
  const found = upstreamAddresses(['auto', 'http://127.0.0.1:8000/v1'])
  t.strictSame(
    found.map(({ base, named }) => [new URL(base).port, named]),
    [
      ['8000', true],
      ['8080', false],
      ['11434', false],
      ['1234', false],
      ['30000', false]
    ]
  )
  for (const bad of ['file:///etc/passwd', 'ftp://a', 'http://a:b@c', 'http://a/?q', 'http://a/#b', 'nothing']) {
    t.throws(() => upstreamAddresses([bad]), { code: 'settings_invalid' }, bad)
  }
})
